//! Every stage looks at the cancel flag, row by row.
#![forbid(unsafe_code)]

use super::{bricks, plane};
use crate::ErrorKind;
use crate::error::Result;
use crate::r#match::complete::{Scene, complete};
use crate::r#match::guided::{Guide, guided};
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;

const SIDE: usize = 160;

struct Case {
    image: RgbImage,
    hole: Plane<u8>,
    source: Plane<u8>,
}

impl Case {
    fn new(hole: impl Fn(usize, usize) -> bool) -> Self {
        let hole = plane(SIDE, SIDE, hole);
        Self {
            image: bricks(SIDE, SIDE),
            source: plane(SIDE, SIDE, |x, y| hole.row(y)[x] == 0),
            hole,
        }
    }

    fn run(&self, guide: Option<Guide>, cancel: &Cancel) -> Result<RgbImage> {
        let pool = Workers::new(1).unwrap();
        let (image, hole, source) = (&self.image, &self.hole, &self.source);
        let steps = &mut |_: f64| Ok(());
        match guide {
            None => complete(&Scene::new(image, hole, source), 0, &pool, cancel, steps),
            Some(guide) => guided(image, hole, source, guide, 0, &pool, cancel, steps),
        }
    }
}

#[test]
fn every_stage_looks_and_a_raised_flag_ends_it_within_one_pass() {
    let blob = Case::new(|x, y| (30..110).contains(&x) && (40..120).contains(&y));
    let grain = Case::new(|x, y| (x * 7 + y * 13) % 5 == 0);
    let guide = Guide {
        level: 1,
        weight: 1.0,
    };
    let common = [
        "level.rs",
        "texture.rs",
        "maps.rs",
        "field.rs",
        "search.rs",
        "vote.rs",
        "reconstruct.rs",
        "extend.rs",
        "seam.rs",
        "screened.rs",
    ];
    let cases: [(&str, &Case, Option<Guide>, &[&str]); 3] = [
        ("complete", &blob, None, &common),
        (
            "guided",
            &blob,
            Some(guide),
            &[&common[..], &["low.rs"]].concat(),
        ),
        (
            "grain",
            &grain,
            None,
            &["maps.rs", "extend.rs", "interpolate.rs"],
        ),
    ];
    for (name, case, guide, files) in cases {
        let cancel = Cancel::new();
        case.run(guide, &cancel).unwrap();
        let looks = cancel.looks();
        for file in files {
            let found = looks
                .by_file
                .keys()
                .any(|key| key.ends_with(&format!("/{file}")));
            assert!(found, "{name}: {file} never looks; {:?}", looks.by_file);
        }
        // The end of a row is the end: what else is in the loop looks once and goes.
        for part in 0..40 {
            let number = 1 + looks.all * part / 40;
            let cancel = Cancel::at_look(number);
            let error = case.run(guide, &cancel).expect_err(name);
            assert_eq!(
                error.kind(),
                ErrorKind::Cancelled,
                "{name} at {number}: {error}"
            );
            let after = cancel.looks().all - number;
            assert!(
                after <= 4 * SIDE as u64,
                "{name}: {after} looks after number {number}"
            );
        }
    }
}
