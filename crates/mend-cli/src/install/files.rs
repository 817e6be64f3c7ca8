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
            bytes: include_bytes!(concat!("../../../../", $folder, "/", $name)),
            executable: matches!($name.as_bytes(), b"mend-inpaint" | b"mend-inpaint.py"),
        },)*)*]
    };
}

/// GIMP 2.10's.
pub const GIMP2: &[Plugin] = plugin! {
    "plugin-gimp": "native.py" "job.py" "fill.py" "panel.py" "dialog.py" "help.html";
    "plugin-gimp/gimp2": "mend-inpaint" "host.py" "libgimp.py" "widgets.py";
};

/// GIMP 3's.
pub const GIMP3: &[Plugin] = plugin! {
    "plugin-gimp": "native.py" "job.py" "fill.py" "panel.py" "dialog.py" "help.html";
    "plugin-gimp/gimp3": "mend-inpaint.py" "host.py" "widgets.py";
};

/// Krita's.
pub const KRITA: &[Plugin] = plugin! {
    "plugin-krita":
        "Manual.html" "__init__.py" "colours.py" "dialog.py" "host.py" "inputs.py" "job.py" "krita_job.py"
        "layers.py" "mend_inpaint.action" "mend_inpaint.desktop" "native.py" "qt.py" "raw.py" "run.py";
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn on_disk(folder: &str) -> BTreeSet<String> {
        fs::read_dir(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../..")
                .join(folder),
        )
        .expect("the plug-in's folder")
        .map(|e| e.expect("an entry"))
        .filter(|e| e.path().is_file())
        .map(|e| e.file_name().into_string().expect("a name"))
        .collect()
    }

    #[test]
    fn every_file_of_the_plug_ins_is_carried() {
        let names = |list: &[Plugin]| -> BTreeSet<String> {
            list.iter().map(|f| f.name.to_owned()).collect()
        };
        let shared = on_disk("plugin-gimp");
        let with = |folder: &str| -> BTreeSet<String> { &on_disk(folder) | &shared };
        assert_eq!(names(GIMP2), with("plugin-gimp/gimp2"));
        assert_eq!(names(GIMP3), with("plugin-gimp/gimp3"));
        assert_eq!(names(KRITA), on_disk("plugin-krita"));
    }
}
