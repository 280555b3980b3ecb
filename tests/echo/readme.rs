//! README's first program, its catalog and its `curl` line, run together.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use crate::process;

const README: &str = include_str!("../../README.md");
const PROGRAM: &str = include_str!("../../examples/quickstart/main.rs");
const CATALOG: &str = include_str!("../../examples/quickstart/subscriptions.toml");

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /orders HTTP/1.1\r\nHost: {address}\r\n{header}Connection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn readme_shows_the_quickstart_example_and_its_catalog() {
    let (_, program) = PROGRAM.split_once("\n\n").unwrap();
    assert!(
        README.contains(program),
        "README shows another program than examples/quickstart"
    );
    assert!(
        README.contains(CATALOG),
        "README shows another catalog than examples/quickstart"
    );
}

#[test]
fn readme_curl_line_gets_into_the_readme_program() {
    let line = README
        .lines()
        .find(|line| line.starts_with("curl ") && line.contains("/orders"))
        .unwrap();
    let header = line.split('\'').nth(1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("subscriptions.toml"), CATALOG).unwrap();
    let mut program = process::example("quickstart")
        .current_dir(folder.path())
        .env("LISTEN", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = program.stdout.take().unwrap();
    let _running = Running(program);
    let address = BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("listening on http://")?.to_owned()))
        .unwrap();

    let answer = get(&address, &format!("{header}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("orders for contoso\n"), "{answer}");
    let answer = get(&address, "");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("missing subscription key"), "{answer}");
}
