//! What a person can paste.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A caller's token as the text shows it.
pub(crate) enum Shown<'t> {
    /// The token itself.
    Token(&'t str),
    /// The environment variable that holds it: it is not repeated.
    Environment,
}

const PLACE: &str =
    "subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/demo";
const VERSION: &str = "api-version=2024-05-01";

/// The page's address and commands that make a key and use it.
pub(crate) fn text(
    url: &str,
    gateway: &str,
    publisher: &Shown<'_>,
    owner: Option<&(String, String)>,
    key: &str,
) -> String {
    let mut text = match publisher {
        Shown::Token(token) => format!(
            "\nthe page, signed in as publisher:\n  {}\n",
            page(url, token)
        ),
        Shown::Environment => {
            format!("\nthe page, for the token in CONTROL_PLANE_TOKEN:\n  {url}/\n")
        }
    };
    if let Some((id, token)) = owner {
        text += &format!(
            "the page, signed in as the owner {id}:\n  {}\n",
            page(url, token)
        );
    }
    let authorization = match publisher {
        Shown::Token(token) => quoted(&format!("Authorization: Bearer {token}")),
        Shown::Environment => "\"Authorization: Bearer $CONTROL_PLANE_TOKEN\"".to_owned(),
    };
    let put = |path: &str, body: &str| {
        let json = "-H 'Content-Type: application/json'";
        format!(
            "curl -X PUT '{url}/{PLACE}/{path}?{VERSION}' -H {authorization} {json} -d '{body}'\n"
        )
    };
    text += "\nmake an API, a product, and a subscription with a key:\n";
    text += &put(
        "apis/try-echo",
        r#"{"properties":{"displayName":"Try Echo","path":"try-echo"}}"#,
    );
    text += &put(
        "products/try",
        r#"{"properties":{"displayName":"Try","state":"published"}}"#,
    );
    text += &format!(
        "curl -X PUT '{url}/{PLACE}/products/try/apis/try-echo?{VERSION}' -H {authorization}\n"
    );
    text += &put(
        "subscriptions/try",
        &format!(
            r#"{{"properties":{{"displayName":"Try","scope":"/products/try","state":"active","primaryKey":"{key}"}}}}"#
        ),
    );
    text += "call the echo service with it, and without:\n";
    text += &format!("curl '{gateway}/try-echo/hello' -H 'Ocp-Apim-Subscription-Key: {key}'\n");
    text += &format!("curl '{gateway}/try-echo/hello'\n\n");
    text
}

fn page(url: &str, token: &str) -> String {
    format!(
        "{url}/#token={}",
        utf8_percent_encode(token, NON_ALPHANUMERIC)
    )
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
