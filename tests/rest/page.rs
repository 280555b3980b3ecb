use crate::support::{Ask, Plane};

#[tokio::test]
async fn page_files_need_no_token_and_carry_a_strict_policy() {
    let plane = Plane::empty().await;
    for (path, content_type) in [
        ("/", "text/html"),
        ("/style.css", "text/css"),
        ("/script.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let file = plane
            .expect(Ask::new("GET", &format!("raw:{path}")).by(""), 200)
            .await;
        assert!(
            file.header("content-type")
                .unwrap()
                .starts_with(content_type),
            "{path}"
        );
        let policy = file.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    }
    for path in [
        "/index.html",
        "/script.js/",
        "/favicon.ico",
        "/style.css/../x",
    ] {
        plane
            .expect(Ask::new("GET", &format!("raw:{path}")).by(""), 401)
            .await;
    }
    plane.expect(Ask::new("POST", "raw:/").by(""), 401).await;
}

#[tokio::test]
async fn page_has_no_inline_code_and_nothing_of_other_hosts() {
    let plane = Plane::empty().await;
    let html = plane.expect(Ask::new("GET", "raw:/"), 200).await.text;
    assert!(
        !html.contains("<script>") && !html.contains("style=") && !html.contains(" on"),
        "{html}"
    );
    for path in ["/", "/script.js", "/style.css"] {
        let text = plane
            .expect(Ask::new("GET", &format!("raw:{path}")), 200)
            .await
            .text;
        for word in [
            "http://",
            "https://",
            "innerHTML",
            "localStorage",
            "sessionStorage",
            "document.cookie",
            "eval(",
        ] {
            assert!(!text.contains(word), "{path}: {word}");
        }
    }
}
