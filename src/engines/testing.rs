//! What the engines' tests share.
#![forbid(unsafe_code)]

use crate::nn::{Tensor, from_vec};
use crate::weights::Weights;
use crate::workers::Workers;

/// A file of goldens.
pub struct Golden(pub Weights);

impl Golden {
    pub fn open(name: &str) -> Self {
        let file = mend_fixtures::golden(&format!("{name}.safetensors"));
        Self(Weights::open(&file).unwrap())
    }

    /// `golden.NAME`
    pub fn tensor(&self, name: &str) -> Tensor {
        let name = format!("golden.{name}");
        let shape = self.0.shape(&name).expect("a golden").to_vec();
        let data = self.0.root().get(&name, &shape).unwrap();
        from_vec(data.into_f32().unwrap(), &shape).unwrap()
    }
}

/// A tensor's numbers.
pub fn floats(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// Threads of its own: results must not depend on their number.
pub fn pool(threads: usize) -> Workers {
    Workers::new(threads).unwrap()
}

/// A file with these tensors, all zeros.
pub fn full_size(name: &str, keys: &[(String, Vec<usize>)]) -> Weights {
    let path = mend_fixtures::zeros::file(name, keys);
    let weights = Weights::open(&path).unwrap();
    // On Windows an open file cannot be deleted; it stays until the temporary folder is emptied.
    let _ = std::fs::remove_file(path);
    weights
}
