//! The page of the control plane in a real browser, by the steps of its users.
//! Controls are found by their roles and names in the accessibility tree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
mod plane;

use serde_json::json;

use browser::Page;
use plane::{JANE, PUBLISHER, Plane};

async fn sign_in(plane: &Plane, token: &str) -> Page {
    let mut page = Page::open(&plane.url).await;
    page.fill("Token", token).await;
    page.click("button", "Sign in").await;
    page.wait_gone("button", "Sign in").await;
    page
}

/// Opens the menu of a row and chooses from it. A table that is loaded again in
/// between closes the menu: it is then opened again.
async fn choose_action(page: &mut Page, name: &str, action: &str) {
    for _ in 0..30 {
        page.click("button", &format!("Actions for {name}")).await;
        if page.appears("menuitem", action).await {
            return page.click("menuitem", action).await;
        }
    }
    panic!("no menuitem {action:?} for {name:?}");
}

#[tokio::test]
async fn publisher_goes_from_sign_in_to_a_key_that_opens_the_echo() {
    let plane = Plane::start().await;
    let mut page = sign_in(&plane, PUBLISHER).await;
    for view in [
        "Subscriptions",
        "Products",
        "APIs",
        "Approvals",
        "Audit",
        "Why is this key refused?",
    ] {
        assert!(page.has("link", view).await, "{view}");
    }
    page.click("link", "APIs").await;
    page.click("button", "Add API").await;
    page.fill("Name", "Echo API").await;
    page.fill("Path", "/echo").await;
    page.click("button", "Save").await;
    page.find("button", "Actions for Echo API").await;

    page.click("link", "Products").await;
    page.click("button", "Add product").await;
    page.fill("Name", "Starter").await;
    page.click("button", "Save").await;
    choose_action(&mut page, "Starter", "Members").await;
    page.click("checkbox", "Echo API").await;
    page.click("button", "Save").await;
    page.wait_for_text("The members of Starter are saved.")
        .await;

    page.click("link", "Subscriptions").await;
    page.click("button", "Add subscription").await;
    page.fill("Name", "Contoso").await;
    page.choose("Scope", "Starter").await;
    page.fill("User (optional)", "jane").await;
    page.click("button", "Save").await;
    let keys = [
        page.text_by_label("Primary key").await,
        page.text_by_label("Secondary key").await,
    ];
    for key in &keys {
        assert_eq!(plane.call(key).await, 200);
    }
    page.click("button", "Copy").await;
    page.wait_until("/copied|Copying failed/.test(document.querySelector('dialog').textContent)")
        .await;
    page.click("button", "Close").await;
    page.wait_gone("dialog", "Keys of Contoso").await;
    for key in &keys {
        let html = page.evaluate("document.documentElement.outerHTML").await;
        assert!(!html.as_str().unwrap().contains(key));
    }
    for header in ["Display name", "Scope", "State", "Owner", "Last used"] {
        assert!(page.has("columnheader", header).await, "{header}");
    }
    let row = page.evaluate("[...document.querySelectorAll('tbody tr')].find((row) => row.textContent.includes('Contoso')).innerText").await;
    for word in ["Starter", "Active", "jane"] {
        assert!(row.as_str().unwrap().contains(word), "{row}");
    }
    page.expect_quiet_console().await;

    page.reload().await;
    page.find("textbox", "Token").await;
}

#[tokio::test]
async fn publisher_suspends_activates_regenerates_cancels_and_deletes() {
    let plane = Plane::stocked().await;
    let made = plane
        .put(
            "/subscriptions/a",
            json!({ "displayName": "Contoso", "scope": "/products/starter", "state": "active" }),
        )
        .await;
    let [primary, secondary] = ["primaryKey", "secondaryKey"]
        .map(|name| made["properties"][name].as_str().unwrap().to_owned());
    let mut page = sign_in(&plane, PUBLISHER).await;

    choose_action(&mut page, "Contoso", "Suspend").await;
    page.wait_for_text("Contoso is suspended.").await;
    assert_eq!(plane.call(&primary).await, 401);
    choose_action(&mut page, "Contoso", "Activate").await;
    page.wait_for_text("Contoso is active.").await;
    assert_eq!(plane.call(&primary).await, 200);

    choose_action(&mut page, "Contoso", "Regenerate primary key").await;
    page.click("button", "Close").await;
    page.wait_gone("button", "Regenerate").await;
    assert_eq!(plane.call(&primary).await, 200);
    choose_action(&mut page, "Contoso", "Regenerate primary key").await;
    page.choose("The replaced key keeps working", "1 hour")
        .await;
    page.click("button", "Regenerate").await;
    let new = page.text_by_label("Primary key").await;
    assert_ne!(new, primary);
    for key in [&new, &primary, &secondary] {
        assert_eq!(plane.call(key).await, 200);
    }
    page.click("button", "Close").await;
    choose_action(&mut page, "Contoso", "Regenerate secondary key").await;
    page.click("button", "Regenerate").await;
    page.text_by_label("Secondary key").await;
    assert_eq!(plane.call(&secondary).await, 401);
    page.click("button", "Close").await;

    choose_action(&mut page, "Contoso", "Cancel").await;
    page.click("button", "Cancel subscription").await;
    page.wait_for_text("Contoso is cancelled.").await;
    assert_eq!(plane.call(&new).await, 401);
    choose_action(&mut page, "Contoso", "Delete").await;
    page.click("button", "Delete").await;
    page.wait_for_text("Contoso is deleted.").await;
    page.wait_gone("button", "Actions for Contoso").await;
    page.click("link", "Audit").await;
    page.wait_for_text("regenerate").await;
    page.expect_quiet_console().await;
}

#[tokio::test]
async fn publisher_filters_on_the_server_by_pages_of_100() {
    let plane = Plane::stocked().await;
    for n in 0..120 {
        let state = if n % 2 == 0 { "active" } else { "suspended" };
        let scope = if n == 7 { "/apis" } else { "/products/starter" };
        plane
            .put(
                &format!("/subscriptions/s{n:03}"),
                json!({ "displayName": format!("Sub {n}"), "scope": scope, "state": state }),
            )
            .await;
    }
    let mut page = sign_in(&plane, PUBLISHER).await;
    page.wait_for_text("1–100 of 121").await;
    page.click("button", "Next").await;
    page.wait_for_text("101–121 of 121").await;
    page.click("button", "Previous").await;
    page.wait_for_text("1–100 of 121").await;
    page.choose("State", "Suspended").await;
    page.wait_for_text("1–60 of 60").await;
    page.choose("Scope", "All APIs").await;
    page.wait_for_text("1–1 of 1").await;
    page.choose("Scope", "Starter").await;
    page.wait_for_text("1–59 of 59").await;
    page.find("searchbox", "Search")
        .await
        .run("function() { this.focus(); }")
        .await;
    page.write("Sub 11").await;
    page.wait_for_text("1–6 of 6").await;
    assert!(
        page.requests()
            .iter()
            .any(|request| request.contains("filter"))
    );
    page.expect_quiet_console().await;
}

#[tokio::test]
async fn publisher_approves_and_rejects_what_owners_ask_for() {
    let plane = Plane::stocked().await;
    let mut owner = sign_in(&plane, JANE).await;
    assert!(!owner.has("link", "Audit").await);
    let mut keys = Vec::new();
    for name in ["First", "Second"] {
        owner.find("heading", "Approved").await;
        owner.evaluate("[...document.querySelectorAll('li.panel')].find((card) => card.textContent.includes('Approved')).querySelector('button').click()").await;
        owner.fill("Name", name).await;
        owner.click("checkbox", "I accept the terms").await;
        owner
            .find("dialog", "Subscribe to Approved")
            .await
            .run("function() { this.querySelector('[type=submit]').click(); }")
            .await;
        keys.push(owner.text_by_label("Primary key").await);
        owner.click("button", "Close").await;
        owner.wait_gone("dialog", &format!("Keys of {name}")).await;
    }
    assert_eq!(plane.call(&keys[0]).await, 401);

    let mut publisher = sign_in(&plane, PUBLISHER).await;
    publisher.click("link", "Approvals").await;
    publisher.wait_for_text("First").await;
    publisher.evaluate("[...document.querySelectorAll('tbody tr')].find((row) => row.textContent.includes('First')).querySelector('button').click()").await;
    publisher.wait_for_text("First is approved.").await;
    assert_eq!(plane.call(&keys[0]).await, 200);
    publisher
        .wait_until("!document.querySelector('tbody').textContent.includes('First')")
        .await;
    publisher.click("button", "Reject").await;
    publisher.fill("Comment", "Not now").await;
    publisher
        .find("dialog", "Reject Second?")
        .await
        .run("function() { this.querySelector('[type=submit]').click(); }")
        .await;
    publisher.wait_for_text("Nothing waits for approval.").await;

    owner.click("link", "My subscriptions").await;
    owner.wait_for_text("Not now").await;
    owner.wait_for_text("Rejected").await;
    publisher.expect_quiet_console().await;
    owner.expect_quiet_console().await;
}

#[tokio::test]
async fn owner_without_accepting_the_terms_is_told_so_and_then_serves_itself() {
    let plane = Plane::stocked().await;
    let mut page = sign_in(&plane, JANE).await;
    page.find("heading", "Approved").await;
    page.evaluate("[...document.querySelectorAll('li.panel')].find((card) => card.textContent.includes('Approved')).querySelector('button').click()").await;
    page.wait_for_text("Be kind.").await;
    page.find("dialog", "Subscribe to Approved")
        .await
        .run("function() { this.querySelector('[type=submit]').click(); }")
        .await;
    page.wait_for_text("terms of use: accept them").await;
    page.click("button", "Close").await;
    page.wait_gone("dialog", "Subscribe to Approved").await;

    page.evaluate("[...document.querySelectorAll('li.panel')].find((card) => card.textContent.includes('Starter')).querySelector('button').click()").await;
    page.fill("Name", "Mine").await;
    page.find("dialog", "Subscribe to Starter")
        .await
        .run("function() { this.querySelector('[type=submit]').click(); }")
        .await;
    let key = page.text_by_label("Primary key").await;
    assert_eq!(plane.call(&key).await, 200);
    page.click("button", "Close").await;
    page.click("link", "My subscriptions").await;
    choose_action(&mut page, "Mine", "Rename").await;
    page.fill("Name", "Renamed").await;
    page.click("button", "Rename").await;
    choose_action(&mut page, "Renamed", "Regenerate primary key").await;
    page.click("button", "Regenerate").await;
    let new = page.text_by_label("Primary key").await;
    assert_eq!((plane.call(&new).await, plane.call(&key).await), (200, 401));
    page.click("button", "Close").await;
    choose_action(&mut page, "Renamed", "Cancel").await;
    page.click("button", "Cancel subscription").await;
    page.wait_for_text("Renamed is cancelled.").await;
    assert_eq!(plane.call(&new).await, 401);
}

#[tokio::test]
async fn refused_key_is_explained_with_its_cure() {
    let plane = Plane::stocked().await;
    let made = plane
        .put(
            "/subscriptions/a",
            json!({ "displayName": "Contoso", "scope": "/products/starter", "state": "suspended" }),
        )
        .await;
    let key = made["properties"]["primaryKey"].as_str().unwrap();
    let mut page = sign_in(&plane, PUBLISHER).await;
    page.click("link", "Why is this key refused?").await;
    page.fill("Key", key).await;
    page.choose("API", "Echo API").await;
    page.click("button", "Explain").await;
    page.wait_for_text("Access is denied").await;
    page.wait_for_text("inactive").await;
    assert!(page.evaluate("document.querySelectorAll('.steps li').length > 1 && document.querySelectorAll('.cures li').length > 0").await.as_bool().unwrap());
    assert_eq!(
        page.evaluate(
            "[...document.querySelectorAll('input')].map((input) => input.value).join('')"
        )
        .await,
        ""
    );
    page.fill("Subscription", "master").await;
    page.click("button", "Explain").await;
    page.wait_for_text("Access is granted").await;
    page.expect_quiet_console().await;
}

#[tokio::test]
async fn keyboard_alone_makes_a_key_and_suspends_it() {
    let plane = Plane::stocked().await;
    let mut page = Page::open(&plane.url).await;
    page.find("textbox", "Token").await;
    page.tab_to("Token").await;
    page.write(PUBLISHER).await;
    page.press("Enter").await;
    page.wait_gone("button", "Sign in").await;
    page.find("button", "Actions for master").await;
    page.tab_to("Add subscription").await;
    page.press("Enter").await;
    page.find("dialog", "Add subscription").await;
    page.tab_to("Name").await;
    page.write("Typed").await;
    page.tab_to("Save").await;
    page.press("Enter").await;
    let key = page.text_by_label("Primary key").await;
    assert_eq!(plane.call(&key).await, 200);
    page.press("Escape").await;
    page.wait_gone("dialog", "Keys of Typed").await;
    page.find("button", "Actions for Typed").await;
    page.tab_to("Actions for Typed").await;
    page.press("Enter").await;
    assert_eq!(page.focused().await, "Regenerate primary key");
    page.press("ArrowUp").await;
    assert_eq!(page.focused().await, "Delete");
    page.press("Escape").await;
    assert_eq!(page.focused().await, "Actions for Typed");
    page.press("ArrowDown").await;
    while page.focused().await != "Suspend" {
        page.press("ArrowDown").await;
    }
    page.press("Enter").await;
    page.wait_for_text("Typed is suspended.").await;
    assert_eq!(plane.call(&key).await, 401);
    page.wait_until("document.activeElement.getAttribute('aria-label') === 'Actions for Typed'")
        .await;
    page.expect_quiet_console().await;
}

#[tokio::test]
async fn every_view_fits_320_pixels_and_is_readable_light_and_dark() {
    let plane = Plane::stocked().await;
    let long = "An extraordinarily-long-name-without-any-place-to-break-it-anywhere-at-all";
    for state in ["active", "submitted"] {
        let owner = format!("{long}@contoso.example");
        plane.put(&format!("/subscriptions/{state}"), json!({ "displayName": format!("{long} {state}"), "scope": "/products/starter", "ownerId": owner, "state": state })).await;
    }
    for dark in [false, true] {
        for (token, views) in [
            (
                PUBLISHER,
                &[
                    "Subscriptions",
                    "Products",
                    "APIs",
                    "Approvals",
                    "Audit",
                    "Why is this key refused?",
                ][..],
            ),
            (JANE, &["Products", "My subscriptions"]),
        ] {
            let mut page = sign_in(&plane, token).await;
            page.resize(320, dark).await;
            for view in views {
                page.click("link", view).await;
                page.wait_until(&format!("document.querySelector('h1').textContent === {} && document.querySelector('main').children.length > 1", json!(view))).await;
                let width = page.evaluate("document.documentElement.scrollWidth").await;
                assert!(width.as_u64().unwrap() <= 320, "{view}: {width}");
                let contrast = page.evaluate(CONTRAST).await;
                assert_eq!(contrast, json!([]), "{view}, dark: {dark}");
            }
            let ground = page
                .evaluate("getComputedStyle(document.body).backgroundColor")
                .await;
            assert_eq!(ground == "rgb(18, 20, 27)", dark, "{ground}");
            page.expect_quiet_console().await;
        }
    }
}

/// The texts whose contrast to their ground is below 4.5 to 1.
const CONTRAST: &str = r"(() => {
    const light = (rgb) => rgb.map((value) => value / 255).map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const parts = (color) => color.match(/[\d.]+/g).map(Number);
    const ground = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const color = parts(getComputedStyle(one).backgroundColor);
            if (color.length === 3 || color[3] > 0) return color.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const weak = [];
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
        const element = text.parentElement;
        if (!text.data.trim() || !element.checkVisibility() || element.closest(':disabled, noscript')) continue;
        const [one, two] = [light(parts(getComputedStyle(element).color).slice(0, 3)), light(ground(element))];
        const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        if (contrast < 4.5) weak.push(`${text.data}: ${contrast}`);
    }
    return weak;
})()";

#[tokio::test]
async fn token_in_the_fragment_is_removed_and_nothing_secret_stays() {
    let plane = Plane::stocked().await;
    let mut page = Page::open(&format!("{}/#token={PUBLISHER}", plane.url)).await;
    page.find("button", "Actions for master").await;
    assert_eq!(
        page.evaluate("location.href").await,
        format!("{}/", plane.url)
    );
    let left = "(async () => JSON.stringify([
        localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length, (await caches.keys()).length,
    ]))()";
    assert_eq!(page.evaluate(left).await, "[0,0,\"\",0,0]");
    let document = "document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')].map((one) => one.value).join() + JSON.stringify(history.state)";
    assert!(
        !page
            .evaluate(document)
            .await
            .as_str()
            .unwrap()
            .contains(PUBLISHER)
    );
    let globals = "Object.getOwnPropertyNames(window).some((name) => { try { return String(window[name]).includes('token-of') } catch { return false } })";
    assert_eq!(page.evaluate(globals).await, false);
    assert!(
        page.requests().iter().all(|request| !request
            .split('#')
            .next()
            .unwrap()
            .contains(PUBLISHER))
    );
    page.expect_quiet_console().await;
    page.click("button", "Sign out").await;
    page.find("textbox", "Token").await;
    page.go(&format!("{}/#token=wrong", plane.url)).await;
    page.wait_for_text("This token is not accepted.").await;
    assert_eq!(page.evaluate("location.hash").await, "");
}

#[tokio::test]
async fn names_labels_and_structure_are_in_the_accessibility_tree() {
    let plane = Plane::stocked().await;
    let mut page = Page::open(&plane.url).await;
    page.find("heading", "Sign in").await;
    page.find("textbox", "Token").await;
    page.fill("Token", PUBLISHER).await;
    page.click("button", "Sign in").await;
    for (role, name) in [
        ("navigation", "Main"),
        ("link", "Subscriptions"),
        ("heading", "Subscriptions"),
        ("searchbox", "Search"),
        ("combobox", "State"),
        ("combobox", "Scope"),
        ("table", "Subscriptions"),
        ("columnheader", "Display name"),
        ("button", "Actions for master"),
        ("button", "Add subscription"),
        ("status", ""),
    ] {
        page.find(role, name).await;
    }
    page.click("button", "Add subscription").await;
    for (role, name) in [
        ("dialog", "Add subscription"),
        ("textbox", "Name"),
        ("combobox", "Scope"),
        ("textbox", "User (optional)"),
        ("button", "Save"),
        ("button", "Close"),
    ] {
        page.find(role, name).await;
    }
    assert_eq!(page.focused().await, "Name");
    page.click("button", "Close").await;
    page.wait_until("document.activeElement.textContent === 'Add subscription'")
        .await;
    let unnamed = "[...document.querySelectorAll('button, input, select, textarea, a')].filter((one) => !(one.labels?.length || one.textContent.trim() || one.getAttribute('aria-label'))).length";
    for view in [
        "Products",
        "APIs",
        "Approvals",
        "Audit",
        "Why is this key refused?",
        "Subscriptions",
    ] {
        page.click("link", view).await;
        page.find("heading", view).await;
        assert_eq!(page.evaluate(unnamed).await, 0, "{view}");
        assert_eq!(
            page.evaluate("document.activeElement.textContent").await,
            view
        );
    }
}
