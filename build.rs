//! Sees to it that the web app that was built last is the one in the binary.

fn main() {
    // A folder that is not there would count as changed each time, and everything would be compiled again and again. Where
    // it cannot be made (a read-only source tree) that is what happens; nothing breaks.
    let _ = std::fs::create_dir_all("web/dist");
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-changed=build.rs");
}
