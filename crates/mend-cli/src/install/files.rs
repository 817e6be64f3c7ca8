//! The plug-ins' files, carried in the program.
#![forbid(unsafe_code)]

/// One file of a plug-in.
pub struct Plugin {
    /// Its name in the plug-in's folder.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// Whether the host runs it as a program.
    pub executable: bool,
}

macro_rules! plugin {
    ($($folder:literal: $($name:literal)*;)*) => {
        &[$($(Plugin {
            name: $name,
            // build.rs names the folder that the plug-ins' folders lie in.
            bytes: include_bytes!(concat!(env!("MEND_PLUGINS"), "/", $folder, "/", $name)),
            executable: matches!($name.as_bytes(), b"mend-inpaint" | b"mend-inpaint.py"),
        },)*)*]
    };
}

/// GIMP 2.10's.
pub const GIMP2: &[Plugin] = plugin! {
    "plugin-common": "choosing.py" "expanding.py" "job.py" "masks.py" "models.py" "native.py" "params.py" "preview.py" "thumbs.py";
    "plugin-gimp":
        "arguments.py" "canvas.py" "dialog.py" "fill.py" "help.html" "panel.py" "procedures.py" "reading.py";
    "plugin-gimp/gimp2": "mend-inpaint" "host.py" "libgimp.py" "widgets.py";
};

/// GIMP 3's.
pub const GIMP3: &[Plugin] = plugin! {
    "plugin-common": "choosing.py" "expanding.py" "job.py" "masks.py" "models.py" "native.py" "params.py" "preview.py" "thumbs.py";
    "plugin-gimp":
        "arguments.py" "canvas.py" "dialog.py" "fill.py" "help.html" "panel.py" "procedures.py" "reading.py";
    "plugin-gimp/gimp3": "mend-inpaint.py" "choosing_window.py" "gallery.py" "host.py" "models_window.py" "widgets.py";
};

/// Krita's.
pub const KRITA: &[Plugin] = plugin! {
    "plugin-common": "choosing.py" "expanding.py" "job.py" "masks.py" "models.py" "native.py" "params.py" "preview.py" "thumbs.py";
    "plugin-krita":
        "Manual.html" "__init__.py" "choosing_dialog.py" "colours.py" "dialog.py" "gallery.py" "host.py" "inputs.py"
        "krita_job.py" "layers.py" "mend_inpaint.action" "mend_inpaint.desktop" "models_dialog.py"
        "qt.py" "raw.py" "reading.py" "run.py";
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    /// The files of these folders with their bytes; no two have one name.
    fn on_disk(folders: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .find(|folder| folder.join("plugin-common").is_dir())
            .expect("the folder that the plug-ins lie in");
        let mut files = BTreeMap::new();
        for folder in folders {
            for entry in fs::read_dir(top.join(folder)).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_file() {
                    let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
                    let bytes = fs::read(&path).expect("a file");
                    let other = files.insert(name.to_owned(), bytes);
                    assert!(other.is_none(), "{} is there twice", path.display());
                }
            }
        }
        files
    }

    #[test]
    fn every_file_of_the_plug_ins_is_carried_once() {
        for (carried, folders) in [
            (
                GIMP2,
                &["plugin-common", "plugin-gimp", "plugin-gimp/gimp2"][..],
            ),
            (
                GIMP3,
                &["plugin-common", "plugin-gimp", "plugin-gimp/gimp3"],
            ),
            (KRITA, &["plugin-common", "plugin-krita"]),
        ] {
            let files: BTreeMap<String, Vec<u8>> = carried
                .iter()
                .map(|f| (f.name.to_owned(), f.bytes.to_vec()))
                .collect();
            assert_eq!(files.len(), carried.len(), "a name is there twice");
            assert_eq!(files, on_disk(folders));
        }
    }
}
