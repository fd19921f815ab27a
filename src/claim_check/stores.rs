//! Makes the clients of object stores.

use crate::config::ClaimCheck;
use crate::location::{Root, Scheme};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore, RetryConfig};
use std::sync::Arc;
use std::time::Duration;

/// Returns a client for the store at `root`. It opens connections only when it is used.
pub(super) fn connect(root: &Root, settings: &ClaimCheck, variables: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, Error> {
    match root.scheme {
        Scheme::File => Ok(Arc::new(LocalFileSystem::new())),
        Scheme::S3 => s3(root, settings, variables),
        Scheme::Gs => gs(root, settings, variables),
        Scheme::Az => az(root, settings, variables),
    }
}

fn s3(root: &Root, settings: &ClaimCheck, variables: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, Error> {
    let mut builder = AmazonS3Builder::new().with_client_options(client(settings)).with_retry(retries(settings));
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("AWS_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    Ok(Arc::new(builder.with_bucket_name(&root.container).build()?))
}

#[cfg(feature = "gcs")]
fn gs(root: &Root, settings: &ClaimCheck, variables: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, Error> {
    use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
    let mut builder = GoogleCloudStorageBuilder::new().with_client_options(client(settings)).with_retry(retries(settings));
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("GOOGLE_") || name == "SERVICE_ACCOUNT") {
        if let Ok(key) = name.to_ascii_lowercase().parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    Ok(Arc::new(builder.with_bucket_name(&root.container).build()?))
}

#[cfg(feature = "azure")]
fn az(root: &Root, settings: &ClaimCheck, variables: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, Error> {
    use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
    let mut builder = MicrosoftAzureBuilder::new().with_client_options(client(settings)).with_retry(retries(settings));
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("AZURE_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    Ok(Arc::new(builder.with_container_name(&root.container).build()?))
}

#[cfg(not(feature = "gcs"))]
fn gs(root: &Root, _: &ClaimCheck, _: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, Error> {
    Err(left_out(root, "gcs"))
}

#[cfg(not(feature = "azure"))]
fn az(root: &Root, _: &ClaimCheck, _: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, Error> {
    Err(left_out(root, "azure"))
}

#[cfg(not(all(feature = "gcs", feature = "azure")))]
fn left_out(root: &Root, feature: &str) -> Error {
    Error::NotImplemented { operation: root.to_string(), implementer: format!("a build without --features {feature}") }
}

// Shares of the time for one object, in eighths. The last attempt starts after at most five shares
// and a pause of one, and fails within two, so that the answer of the store is known in time.
const EIGHTHS: u32 = 8;
const READ: u32 = 2;
const PAUSE: u32 = 1;
const TRIES: u32 = 5;

/// Returns the options of a client, which ends the wait for a silent server early enough for
/// another attempt.
fn client(settings: &ClaimCheck) -> ClientOptions {
    let all = Duration::from_millis(settings.timeout_ms);
    let read = all * READ / EIGHTHS;
    ClientOptions::new().with_timeout(all).with_connect_timeout(read).with_read_timeout(read)
}

/// Returns the settings of attempts. The time limits them, not their number: the first pause is a
/// tenth of a second, and each further one is longer.
fn retries(settings: &ClaimCheck) -> RetryConfig {
    let all = Duration::from_millis(settings.timeout_ms);
    let max_backoff = all * PAUSE / EIGHTHS;
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(100).min(max_backoff), max_backoff, base: 2.0 };
    RetryConfig { backoff, max_retries: 100, retry_timeout: all * TRIES / EIGHTHS }
}
