#![no_main]

#[path = "../bodies/files.rs"]
mod body;
libfuzzer_sys::fuzz_target!(init: {
    // A decoder's panic is caught and told as the file's fault; the fuzzer's own hook would end
    // the process before that. A panic that gets out still does.
    std::panic::set_hook(Box::new(|_| {}));
}, |data: &[u8]| body::run(data));
