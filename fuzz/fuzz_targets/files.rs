#![no_main]

#[path = "../bodies/files.rs"]
mod body;
#[allow(dead_code, unused_imports)] // The command line uses more of them.
#[path = "../../src/bin/mend/files/mod.rs"]
mod files;
#[allow(dead_code, unused_imports)]
#[path = "../../src/bin/mend/mask/mod.rs"]
mod mask;

libfuzzer_sys::fuzz_target!(init: {
    // A decoder's panic is caught and told as the file's fault; the fuzzer's own hook would end
    // the process before that. A panic that gets out still does.
    std::panic::set_hook(Box::new(|_| {}));
}, |data: &[u8]| body::run(data));
