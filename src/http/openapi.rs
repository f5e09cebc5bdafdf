//! The OpenAPI 3.1 document: its frame, and what holds for every route alike.

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use super::auth::{self, SESSION_COOKIE};
use super::problem::ProblemSchema;

/// Title, licence, and the four ways to say who one is.
pub fn base() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Retroview")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Records streams, and plays any second of them back. Times are microseconds since the Unix epoch, UTC."))
        .license(Some(license))
        .build();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rv_…").build();
    let session = ApiKeyValue::with_description(SESSION_COOKIE, "From `POST /v1/session`. Changes also need `X-Retroview: 1`.");
    let signed = ApiKeyValue::with_description("token", "From `POST /v1/streams/{stream}/urls`; reading one stream over one range.");
    let share = ApiKeyValue::with_description("retroview_share_{id}", "From `POST /v1/shares/open`; reading some streams over one range.");
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)))
        .security_scheme("signed", SecurityScheme::ApiKey(ApiKey::Query(signed)))
        .security_scheme("share", SecurityScheme::ApiKey(ApiKey::Cookie(share)))
        .build();
    let any = ["bearer", "session", "signed", "share"].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()));
    OpenApiBuilder::new().info(info).components(Some(components)).security(Some(any)).build()
}

/// Says on every route what holds for all: how it refuses, and which need no credentials.
pub fn complete(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    let mut schemas = vec![(ProblemSchema::name().into_owned(), ProblemSchema::schema())];
    ProblemSchema::schemas(&mut schemas);
    components.schemas.extend(schemas);
    for (status, description) in REFUSALS {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemSchema::name()))).build();
        let response = ResponseBuilder::new().description(description).content("application/problem+json", content).build();
        components.responses.insert(name_of(status), RefOr::T(response));
    }
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let open = auth::OPEN.iter().any(|(open, route)| open.as_str() == method && route == path);
            finish(operation, open);
        }
    }
    document
}

/// Refusals that any route may give. `default` stands for the rest.
const REFUSALS: [(&str, &str); 4] = [
    ("401", "No credentials, or none that are valid."),
    ("403", "The credentials do not reach this far."),
    ("404", "There is no such thing."),
    ("default", "What is wrong, and what to do about it; `code` says it for programs."),
];

fn name_of(status: &str) -> String {
    match status {
        "401" => "Unauthorized".into(),
        "403" => "Forbidden".into(),
        "404" => "NotFound".into(),
        _ => "Refused".into(),
    }
}

fn finish(operation: &mut Operation, open: bool) {
    if open {
        operation.security = Some(Vec::new());
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = describe(status).to_owned();
        }
    }
    let named = operation.parameters.iter().flatten().any(|p| p.parameter_in == utoipa::openapi::path::ParameterIn::Path);
    for (status, _) in REFUSALS {
        let applies = match status {
            "401" | "403" => !open,
            "404" => named,
            _ => true,
        };
        if applies {
            let response = RefOr::Ref(Ref::from_response_name(name_of(status)));
            operation.responses.responses.entry(status.to_owned()).or_insert(response);
        }
    }
}

/// For answers that need no words of their own.
fn describe(status: &str) -> &'static str {
    match status {
        "200" => "What was asked for",
        "206" => "The byte ranges that were asked for",
        "304" => "Unchanged since",
        "412" => "It has changed since; see `code`",
        "416" => "The byte range lies outside; see `code`",
        _ => "Refused; see `code`",
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("GET", item.get.as_mut()),
        ("POST", item.post.as_mut()),
        ("PUT", item.put.as_mut()),
        ("PATCH", item.patch.as_mut()),
        ("DELETE", item.delete.as_mut()),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation?)))
}
