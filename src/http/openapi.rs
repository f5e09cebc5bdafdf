//! The OpenAPI 3.1 document: its frame, and what holds for every route alike.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use super::auth::SESSION_COOKIE;

/// Title, licence, and the three ways to say who one is.
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
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)))
        .security_scheme("signed", SecurityScheme::ApiKey(ApiKey::Query(signed)))
        .build();
    let any = ["bearer", "session", "signed"].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()));
    OpenApiBuilder::new().info(info).components(Some(components)).security(Some(any)).build()
}
