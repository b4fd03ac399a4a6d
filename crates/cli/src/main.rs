//! The program `glitchlab`.
fn main() {}
