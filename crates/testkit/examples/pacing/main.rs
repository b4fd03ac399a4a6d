//! Plays a simulated day at $5 an hour for each load shape and draws what was spent, and prints the tables of
//! `docs/pacing.md`: `cargo run --release -p glitchlab-testkit --example pacing [FOLDER]`. Without a folder it draws
//! nothing.

#![expect(clippy::print_stdout, reason = "an example prints its tables")]

mod bounds;
mod chart;
mod tables;

use glitchlab_testkit::day::Shape;

fn main() -> std::io::Result<()> {
    println!("{}", tables::shapes());
    println!("{}", tables::holds());
    println!("{}", bounds::table());
    let Some(folder) = std::env::args().nth(1).map(std::path::PathBuf::from) else { return Ok(()) };
    for shape in Shape::ALL {
        let path = folder.join(format!("pacing-{}.svg", shape.name()));
        std::fs::write(&path, chart::draw(shape))?;
        println!("drew {}", path.display());
    }
    Ok(())
}
