//! Receipts of what was deleted, and attestations of what is there: for who sees to a promise, not to footage.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::Document;
use crate::db::ReceiptRow;
use crate::entitlement::{Principal, Scope};
use crate::http::extract::{Json, ListQuery, Path, Query};
use crate::http::problem::{Code, HttpResult, Problem};
use crate::http::state::AppState;
use crate::media::{AccountId, StreamId};
use crate::retention::page::{Language, receipt_page};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_receipts)).routes(routes!(show_receipt)).routes(routes!(show_attestation))
}

/// Receipts in one answer.
const LIST_MAX: u32 = 200;

/// A receipt, without what it lists.
#[derive(Serialize, utoipa::ToSchema)]
struct Receipt {
    id: i64,
    #[schema(value_type = String)]
    account: AccountId,
    /// `sweep` or `erasure`.
    of: &'static str,
    /// Of the sweep or the erasure.
    number: i64,
    /// From 1: large ones come in parts.
    part: u32,
    made_at_us: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ReceiptList {
    receipts: Vec<Receipt>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// Of the page: `en` or `fr`. Missing: what `Accept-Language` says.
    lang: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct DayQuery {
    /// `YYYY-MM-DD`, a day in the account's time zone. Missing: the newest.
    date: Option<String>,
}

/// List receipts
///
/// Newest first, at most 200: all of them for operators, one's own account's for others.
#[utoipa::path(get, path = "/v1/receipts", tag = "retention", params(ListQuery),
    responses((status = 200, body = ReceiptList, description = "Newest first")))]
async fn list_receipts(State(state): State<AppState>, who: Principal, Query(query): Query<ListQuery>) -> HttpResult<Json<ReceiptList>> {
    let account = state.audited_account(&who, query.account)?;
    let rows = state.db.receipts(account.as_ref(), query.before, LIST_MAX).await?;
    Ok(Json(ReceiptList { receipts: rows.into_iter().map(view).collect() }))
}

/// One receipt
///
/// The signed document; as a page to print with `Accept: text/html`, or with `.html` behind the number.
#[utoipa::path(get, path = "/v1/receipts/{id}", tag = "retention", params(("id" = String, Path, description = "Its number, perhaps with `.html`"), PageQuery),
    responses((status = 200, description = "As it was signed", content((serde_json::Value = "application/json"), (String = "text/html")))))]
async fn show_receipt(
    State(state): State<AppState>,
    who: Principal,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
    headers: HeaderMap,
) -> HttpResult<Response> {
    who.require_everywhere(Scope::Audit)?;
    let (number, as_page) = match name.strip_suffix(".html") {
        Some(number) => (number, true),
        None => (name.as_str(), prefers_html(&headers)),
    };
    let unknown = || Problem::new(Code::UnknownReceipt, format!("There is no receipt `{number}`."));
    let id: i64 = number.parse().map_err(|_| unknown())?;
    let row = state.db.receipt(id).await?.filter(|row| who.covers_account(&row.receipt.account)).ok_or_else(unknown)?;
    if !as_page {
        return Ok(sent("application/json", row.receipt.document));
    }
    let document = Document::kept(&row.receipt.document).map_err(Problem::internal)?;
    let accepted = || headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).map_or(Language::En, Language::accepted);
    let language = query.lang.as_deref().map_or_else(accepted, Language::named);
    let mut page = sent("text/html; charset=utf-8", receipt_page(&document, language));
    // Nothing but its own style: should a name ever slip past the escaping, it still runs nowhere.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    page.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language"));
    Ok(page)
}

/// What of a stream's window is there
///
/// The signed statement of a day: how much of the window is footage, how much lies in gaps of which cause, and what nothing explains.
#[utoipa::path(get, path = "/v1/streams/{stream}/attestation", tag = "retention",
    params(("stream" = String, Path, description = "Name of the stream"), DayQuery),
    responses((status = 200, description = "As it was signed", body = serde_json::Value)))]
async fn show_attestation(
    State(state): State<AppState>,
    who: Principal,
    Path(stream): Path<StreamId>,
    Query(query): Query<DayQuery>,
) -> HttpResult<Response> {
    state.stream_for(&who, Scope::Audit, &stream).await?;
    let kept = state.db.attestation(&stream, query.date.as_deref()).await?;
    let none = || Problem::new(Code::NoAttestation, "None was made of that day. One is made each day, of the day before.");
    Ok(sent("application/json", kept.ok_or_else(none)?))
}

fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let first = accept.split(',').map(|item| item.split(';').next().unwrap_or_default().trim());
    // What is named first is what a browser shows; programs name JSON or nothing.
    first.into_iter().find(|kind| ["text/html", "application/json"].contains(kind)) == Some("text/html")
}

fn sent(content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn view(row: ReceiptRow) -> Receipt {
    let r = row.receipt;
    Receipt { id: row.id, account: r.account, of: r.kind.as_str(), number: r.number, part: r.part, made_at_us: r.made_at.as_micros() }
}
