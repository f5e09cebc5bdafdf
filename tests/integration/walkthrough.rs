//! The README's walkthrough, pasted as a new admin pastes it.

use std::process::Command;

/// The block of shell after the mark.
fn walkthrough() -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- walkthrough -->\n```sh\n").expect("the README has a walkthrough");
    rest.split_once("\n```").expect("it ends").0.to_owned()
}

#[test]
fn the_walkthrough_through_retention_does_what_the_readme_says() {
    let dir = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_retroview");
    let script = format!("set -eu\nretroview() {{ \"{program}\" \"$@\"; }}\n{}", walkthrough());
    let done = Command::new("bash").arg("-c").arg(script).current_dir(dir.path()).output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}\n{complained}");
    for line in [
        "given up      yard: 45 segments",
        "not kept: the plan's window of 3 months has passed over it",
        "hold 1, 1 blocks rescued",
        "deleted       yard: 30 segments",
        "sweep         1",
        "Whole and unchanged",
        "NOT whole",
        "found out",
    ] {
        assert!(said.contains(line), "{line}\n{said}\n{complained}");
    }
    assert!(complained.contains("more are permitted"), "{complained}");
    let receipt = std::fs::read_to_string(dir.path().join("retention-trial/receipt.html")).unwrap();
    assert!(receipt.contains("yard") && receipt.contains("</html>"), "{receipt}");
}
