//! Where GIMP and Krita keep what users add to them, by system and by kind of package.
#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A program that a plug-in is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// GIMP 2.10.
    Gimp2,
    /// GIMP 3.0 and later.
    Gimp3,
    /// Krita 5 and later.
    Krita,
}

/// One folder where a program of one kind keeps what users add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The program.
    pub host: Host,
    /// How it was installed: `native`, `Flatpak`, `Snap`.
    pub kind: &'static str,
    /// Its version, where the folder has one.
    pub version: String,
    /// The folder.
    pub folder: PathBuf,
    /// Krita's settings file.
    pub settings: Option<PathBuf>,
    /// It counts whether or not the folder exists: the user named it, or the program is on this
    /// system, was never started, and will find here what is put here.
    pub always: bool,
}

impl Place {
    /// Whether the program has been used here.
    pub fn is_there(&self) -> bool {
        self.always || self.folder.is_dir() || self.settings.as_deref().is_some_and(Path::is_file)
    }

    /// For people.
    pub fn label(&self) -> String {
        let name = match self.host {
            Host::Gimp2 | Host::Gimp3 => "GIMP",
            Host::Krita => "Krita",
        };
        let mut label = name.to_owned();
        if !self.version.is_empty() {
            label.push_str(&format!(" {}", self.version));
        }
        if self.kind != "native" {
            label.push_str(&format!(" ({})", self.kind));
        }
        label
    }
}

/// A family of operating systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux and the other free Unices.
    Unix,
    /// macOS.
    Mac,
    /// Windows.
    Windows,
}

/// What the places depend on.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The operating system.
    pub system: System,
    /// The user's folder.
    pub home: PathBuf,
    /// `(name, value)` of the environment variables that matter.
    pub variables: Vec<(&'static str, PathBuf)>,
    /// Programs on this system, `krita`, `org.kde.krita`, `gimp-2.10`.
    pub programs: Vec<String>,
}

/// A Krita of the system's own, and one of Flatpak's. A GIMP's is `gimp-` and its version.
const KRITA: &str = "krita";
const KRITA_FLATPAK: &str = "org.kde.krita";

const VARIABLES: &[&str] = &[
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramFiles",
    "GIMP2_DIRECTORY",
    "GIMP3_DIRECTORY",
];

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        let system = if cfg!(windows) {
            System::Windows
        } else if cfg!(target_os = "macos") {
            System::Mac
        } else {
            System::Unix
        };
        let mut around = Self {
            system,
            home: env::home_dir().unwrap_or_default(),
            variables: VARIABLES
                .iter()
                .filter_map(|name| Some((*name, PathBuf::from(env::var_os(name)?))))
                .collect(),
            programs: Vec::new(),
        };
        let path = env::var_os("PATH").unwrap_or_default();
        around.programs = around.programs_in(&env::split_paths(&path).collect::<Vec<_>>());
        around
    }

    /// The programs in the folders of `path`, and those that the system keeps elsewhere.
    fn programs_in(&self, path: &[PathBuf]) -> Vec<String> {
        let names = path
            .iter()
            .flat_map(|folder| names_in(folder, |p| !p.is_dir()));
        let mut found: Vec<String> = names
            .filter(|n| n == KRITA || n.strip_prefix("gimp-").and_then(gimp_of).is_some())
            .collect();
        let flatpaks = [
            PathBuf::from("/var/lib/flatpak/app"),
            self.or_home("XDG_DATA_HOME", ".local/share")
                .join("flatpak/app"),
        ];
        let (krita, elsewhere) = match self.system {
            System::Unix => (KRITA_FLATPAK, flatpaks.map(|f| f.join(KRITA_FLATPAK))),
            System::Mac => (
                KRITA,
                [
                    PathBuf::from("/Applications/krita.app"),
                    self.home.join("Applications/krita.app"),
                ],
            ),
            System::Windows => (
                KRITA,
                ["Krita (x64)", "Krita"].map(|name| {
                    self.variable("ProgramFiles")
                        .unwrap_or(Path::new("C:\\Program Files"))
                        .join(name)
                }),
            ),
        };
        if elsewhere.iter().any(|p| p.is_dir()) {
            found.push(krita.to_owned());
        }
        found.sort();
        found.dedup();
        found
    }

    fn has(&self, program: &str) -> bool {
        self.programs.iter().any(|p| p == program)
    }

    /// A variable's value; XDG says that a relative path in one is to be ignored.
    fn variable(&self, name: &str) -> Option<&Path> {
        self.variables
            .iter()
            .find(|(n, value)| *n == name && is_absolute(value, self.system))
            .map(|(_, value)| value.as_path())
    }

    fn or_home(&self, name: &str, below: &str) -> PathBuf {
        self.variable(name)
            .map_or_else(|| self.home.join(below), Path::to_path_buf)
    }
}

/// Whether `path` is absolute on that system, which need not be this one.
fn is_absolute(path: &Path, system: System) -> bool {
    match system {
        System::Windows => path.to_string_lossy().contains(":\\") || path.is_absolute(),
        _ => path.is_absolute(),
    }
}

/// The names of the folders in `folder`; none when it is not there.
pub fn folders_in(folder: &Path) -> Vec<String> {
    names_in(folder, Path::is_dir)
}

/// The names of the files in `folder`; none when it is not there.
pub fn files_in(folder: &Path) -> Vec<String> {
    names_in(folder, Path::is_file)
}

fn names_in(folder: &Path, wanted: fn(&Path) -> bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|e| e.ok())
        .filter(|e| wanted(&e.path()))
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Which GIMP a folder named by its version belongs to.
fn gimp_of(version: &str) -> Option<Host> {
    let (major, minor) = version.split_once('.')?;
    minor.parse::<u32>().ok()?;
    match (major, minor) {
        ("2", "10") => Some(Host::Gimp2),
        ("3", _) => Some(Host::Gimp3),
        _ => None,
    }
}

/// Where GIMPs may keep their plug-ins. `folders(path)` names the folders that a folder has.
pub fn gimp(around: &Surroundings, folders: &dyn Fn(&Path) -> Vec<String>) -> Vec<Place> {
    let mut places = Vec::new();
    for (variable, host, version) in [
        ("GIMP2_DIRECTORY", Host::Gimp2, "2.10"),
        ("GIMP3_DIRECTORY", Host::Gimp3, "3"),
    ] {
        if let Some(folder) = around.variable(variable) {
            places.push(Place {
                host,
                kind: variable,
                version: version.into(),
                folder: folder.to_path_buf(),
                settings: None,
                always: true,
            });
        }
    }
    if !places.is_empty() {
        // Who names a folder means that one.
        return places;
    }
    let home = &around.home;
    let parents: Vec<(&'static str, PathBuf)> = match around.system {
        // Flatpak's GIMP shares the native folder since 2.10; its own was used before.
        System::Unix => vec![
            (
                "native",
                around.or_home("XDG_CONFIG_HOME", ".config").join("GIMP"),
            ),
            ("Flatpak", home.join(".var/app/org.gimp.GIMP/config/GIMP")),
            ("Snap", home.join("snap/gimp/current/.config/GIMP")),
        ],
        System::Mac => vec![("native", home.join("Library/Application Support/GIMP"))],
        System::Windows => {
            vec![(
                "native",
                around.or_home("APPDATA", "AppData/Roaming").join("GIMP"),
            )]
        }
    };
    for (kind, parent) in parents {
        let mut versions = folders(&parent);
        let mut unstarted = Vec::new();
        if kind == "native" && versions.is_empty() {
            // At its first start a GIMP takes over the settings of an older one, but only where it
            // finds no folder of its own: none is made beside another version's.
            let names = around.programs.iter();
            unstarted = names
                .filter_map(|n| n.strip_prefix("gimp-"))
                .filter(|v| gimp_of(v).is_some())
                .map(str::to_owned)
                .collect();
            versions.clone_from(&unstarted);
        }
        if !versions.iter().any(|v| gimp_of(v).is_some()) {
            // Named where nothing is found, so that the user knows where it was sought.
            versions = vec!["2.10".into(), "3.0".into()];
        }
        for version in versions {
            if let Some(host) = gimp_of(&version) {
                places.push(Place {
                    host,
                    kind,
                    folder: parent.join(&version),
                    always: unstarted.contains(&version),
                    version,
                    settings: None,
                });
            }
        }
    }
    places
}

/// Where Kritas may keep their plug-ins. An AppImage shares the native folder.
pub fn krita(around: &Surroundings) -> Vec<Place> {
    let home = &around.home;
    let found: Vec<(&'static str, PathBuf, PathBuf)> = match around.system {
        System::Unix => vec![
            (
                "native",
                around
                    .or_home("XDG_DATA_HOME", ".local/share")
                    .join("krita"),
                around.or_home("XDG_CONFIG_HOME", ".config").join("kritarc"),
            ),
            (
                "Flatpak",
                home.join(".var/app/org.kde.krita/data/krita"),
                home.join(".var/app/org.kde.krita/config/kritarc"),
            ),
            (
                "Snap",
                home.join("snap/krita/current/.local/share/krita"),
                home.join("snap/krita/current/.config/kritarc"),
            ),
        ],
        System::Mac => vec![(
            "native",
            home.join("Library/Application Support/krita"),
            home.join("Library/Preferences/kritarc"),
        )],
        System::Windows => vec![(
            "native",
            around.or_home("APPDATA", "AppData/Roaming").join("krita"),
            around
                .or_home("LOCALAPPDATA", "AppData/Local")
                .join("kritarc"),
        )],
    };
    found
        .into_iter()
        .map(|(kind, folder, settings)| Place {
            host: Host::Krita,
            kind,
            version: String::new(),
            folder,
            settings: Some(settings),
            // Snap's folder is Snap's to make.
            always: around.has(match kind {
                "native" => KRITA,
                "Flatpak" => KRITA_FLATPAK,
                _ => "",
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(system: System, variables: &[(&'static str, &str)]) -> Surroundings {
        Surroundings {
            system,
            home: PathBuf::from("/home/me"),
            variables: variables
                .iter()
                .map(|(n, v)| (*n, PathBuf::from(v)))
                .collect(),
            programs: Vec::new(),
        }
    }

    fn shown(places: &[Place]) -> Vec<String> {
        places
            .iter()
            .map(|p| format!("{} {}", p.label(), p.folder.display()).replace('\\', "/"))
            .collect()
    }

    #[test]
    fn gimps_of_every_kind_and_version() {
        let folders = |p: &Path| -> Vec<String> {
            let names: &[&str] = match p.to_str() {
                Some("/home/me/.config/GIMP") => &["2.8", "2.10", "3.0", "3.2", "backup"],
                Some("/home/me/.var/app/org.gimp.GIMP/config/GIMP") => &["2.10"],
                _ => &[],
            };
            names.iter().map(|n| (*n).to_owned()).collect()
        };
        assert_eq!(
            shown(&gimp(&around(System::Unix, &[]), &folders)),
            [
                "GIMP 2.10 /home/me/.config/GIMP/2.10",
                "GIMP 3.0 /home/me/.config/GIMP/3.0",
                "GIMP 3.2 /home/me/.config/GIMP/3.2",
                "GIMP 2.10 (Flatpak) /home/me/.var/app/org.gimp.GIMP/config/GIMP/2.10",
                "GIMP 2.10 (Snap) /home/me/snap/gimp/current/.config/GIMP/2.10",
                "GIMP 3.0 (Snap) /home/me/snap/gimp/current/.config/GIMP/3.0",
            ]
        );
        let named = around(System::Unix, &[("GIMP3_DIRECTORY", "/tmp/g")]);
        let places = gimp(&named, &folders);
        assert_eq!(shown(&places), ["GIMP 3 (GIMP3_DIRECTORY) /tmp/g"]);
        assert!(places[0].is_there());
    }

    #[test]
    fn the_other_systems() {
        let none = |_: &Path| Vec::new();
        for (system, variables, first) in [
            (
                System::Mac,
                vec![],
                "GIMP 2.10 /home/me/Library/Application Support/GIMP/2.10",
            ),
            (
                System::Windows,
                vec![("APPDATA", "C:\\Users\\me\\Roaming")],
                "GIMP 2.10 C:/Users/me/Roaming/GIMP/2.10",
            ),
            (
                System::Unix,
                vec![("XDG_CONFIG_HOME", "/c")],
                "GIMP 2.10 /c/GIMP/2.10",
            ),
            // XDG: a relative path counts as not set.
            (
                System::Unix,
                vec![("XDG_CONFIG_HOME", "c")],
                "GIMP 2.10 /home/me/.config/GIMP/2.10",
            ),
        ] {
            assert_eq!(shown(&gimp(&around(system, &variables), &none))[0], first);
        }
    }

    #[test]
    fn kritas_with_their_settings() {
        let places = krita(&around(System::Unix, &[("XDG_DATA_HOME", "/d")]));
        assert_eq!(
            shown(&places),
            [
                "Krita /d/krita",
                "Krita (Flatpak) /home/me/.var/app/org.kde.krita/data/krita",
                "Krita (Snap) /home/me/snap/krita/current/.local/share/krita",
            ]
        );
        assert_eq!(
            places[0].settings,
            Some(PathBuf::from("/home/me/.config/kritarc"))
        );
        let mac = krita(&around(System::Mac, &[]));
        assert_eq!(
            mac[0].settings,
            Some("/home/me/Library/Preferences/kritarc".into())
        );
    }
    #[test]
    fn a_program_that_was_never_started_is_found_by_itself() {
        let mut here = around(System::Unix, &[]);
        let always = |places: Vec<Place>| -> Vec<String> {
            let there = places.into_iter().filter(|p| p.always);
            there.map(|p| p.folder.display().to_string()).collect()
        };
        assert_eq!(always(krita(&here)), [""; 0]);
        here.programs = ["gimp-2.10", "gimp-3.0", "krita", "org.kde.krita"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(
            always(krita(&here)),
            [
                "/home/me/.local/share/krita",
                "/home/me/.var/app/org.kde.krita/data/krita"
            ]
        );
        assert_eq!(
            always(gimp(&here, &|_| Vec::new())),
            ["/home/me/.config/GIMP/2.10", "/home/me/.config/GIMP/3.0"]
        );
        // It would take over these at its first start, but not into a folder that is there.
        for older in ["2.8", "2.10"] {
            let folders = |p: &Path| match p.ends_with("GIMP") {
                true => vec![older.to_owned()],
                false => Vec::new(),
            };
            assert_eq!(always(gimp(&here, &folders)), [""; 0]);
        }
    }

    #[test]
    fn programs_are_found_by_their_names() {
        let temporary = tempfile::tempdir().expect("a folder");
        for name in [
            "krita",
            "kritarunner",
            "gimp-2.10",
            "gimp-3.0",
            "gimp-2.8",
            "gimp-x",
            "gimptool-2.0",
        ] {
            fs::write(temporary.path().join(name), b"").expect("a file");
        }
        let flatpak = temporary
            .path()
            .join(".local/share/flatpak/app/org.kde.krita");
        fs::create_dir_all(flatpak).expect("a folder");
        let mut here = around(System::Unix, &[]);
        here.home = temporary.path().to_path_buf();
        let found = here.programs_in(&[temporary.path().to_path_buf(), "/nowhere".into()]);
        assert_eq!(found, ["gimp-2.10", "gimp-3.0", "krita", "org.kde.krita"]);
    }
}
