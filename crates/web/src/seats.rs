//! Who may hold a live stream: so many in all, and so many for each browser.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderValue};
use uuid::Uuid;

use crate::guard::Guard;

/// The cookie by which the streams of one browser are counted; it carries nothing else.
const COOKIE_NAME: &str = "glitchlab_browser";

/// Counts the open streams.
#[derive(Debug)]
pub(crate) struct Seats {
    limit: usize,
    limit_per_browser: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_browser: HashMap<String, usize>,
}

/// One open stream; dropping it frees the seat.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    browser: Option<String>,
}

impl Seats {
    pub(crate) fn new(guard: &Guard) -> Arc<Self> {
        Arc::new(Self {
            limit: guard.max_streams,
            limit_per_browser: guard.max_streams_per_browser,
            taken: Mutex::default(),
        })
    }

    /// Takes a seat, or returns `None` when all are taken or all of this browser's.
    pub(crate) fn take(self: &Arc<Self>, browser: Option<String>) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = browser.as_ref().and_then(|browser| taken.by_browser.get(browser)).copied().unwrap_or(0);
        if taken.all >= self.limit || here >= self.limit_per_browser {
            return None;
        }
        taken.all += 1;
        if let Some(browser) = &browser {
            *taken.by_browser.entry(browser.clone()).or_default() += 1;
        }
        Some(Seat { seats: Arc::clone(self), browser })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        let Some(browser) = self.browser.take() else { return };
        if let Some(here) = taken.by_browser.get_mut(&browser) {
            *here -= 1;
            if *here == 0 {
                taken.by_browser.remove(&browser);
            }
        }
    }
}

/// Reads the browser's id from its cookie; what is not an id of ours counts as none.
pub(crate) fn browser(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('=')).find_map(
        |(name, value)| (name == COOKIE_NAME && Uuid::try_parse(value).is_ok()).then(|| value.to_owned()),
    )
}

/// Makes the cookie for a browser that has none.
pub(crate) fn new_cookie() -> HeaderValue {
    let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict", Uuid::new_v4());
    HeaderValue::try_from(cookie).expect("a cookie of letters, digits and punctuation is a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(limit: usize, limit_per_browser: usize) -> Arc<Seats> {
        let guard =
            Guard { max_streams: limit, max_streams_per_browser: limit_per_browser, ..Guard::loopback(1) };
        Seats::new(&guard)
    }

    #[test]
    fn a_browser_gets_its_seats_and_no_more_until_one_is_free() {
        let seats = seats(100, 2);
        let first = seats.take(Some("a".to_owned()));
        let _second = seats.take(Some("a".to_owned())).expect("two are allowed");
        assert!(seats.take(Some("a".to_owned())).is_none());
        assert!(seats.take(Some("b".to_owned())).is_some());
        drop(first);
        assert!(seats.take(Some("a".to_owned())).is_some());
    }

    #[test]
    fn clients_without_a_cookie_share_only_the_total() {
        let seats = seats(3, 1);
        let held: Vec<_> = (0..3).map(|_| seats.take(None).expect("three are allowed")).collect();
        assert!(seats.take(None).is_none());
        drop(held);
        assert!(seats.taken.lock().unwrap().by_browser.is_empty());
        assert_eq!(seats.taken.lock().unwrap().all, 0);
    }

    #[test]
    fn only_an_id_of_ours_is_taken_from_the_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("x=1; glitchlab_browser=<script>"));
        assert_eq!(browser(&headers), None);
        let ours = new_cookie();
        let pair = ours.to_str().unwrap().split(';').next().unwrap();
        headers.append(COOKIE, HeaderValue::try_from(pair).unwrap());
        assert_eq!(browser(&headers).as_deref(), pair.split_once('=').map(|(_, id)| id));
    }
}
