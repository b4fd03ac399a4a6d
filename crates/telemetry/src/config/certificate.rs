//! Certificates of receivers that the machine does not trust.

use std::fmt;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Certificates that a receiver is trusted by, instead of the machine's.
#[derive(Clone, PartialEq, Eq)]
pub struct Trusted {
    certificates: Vec<CertificateDer<'static>>,
    /// The same as it was written.
    #[cfg(feature = "otlp-grpc")]
    pub(crate) pem: Vec<u8>,
}

impl fmt::Debug for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trusted({} certificates)", self.certificates.len())
    }
}

impl Trusted {
    /// Reads a file of certificates in PEM form.
    ///
    /// # Errors
    ///
    /// Says why the file is of no use, and what to write instead.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        const WANTED: &str = "name a file with certificates in PEM form";
        let pem = std::fs::read(path)
            .map_err(|error| format!("{} cannot be read: {error}; {WANTED}", path.display()))?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates.unwrap_or_default();
        let mut roots = RootCertStore::empty();
        let (_, refused) = roots.add_parsable_certificates(certificates.iter().cloned());
        if refused > 0 || roots.is_empty() {
            return Err(format!("{} holds no certificate that can be used; {WANTED}", path.display()));
        }
        Ok(Self {
            certificates,
            #[cfg(feature = "otlp-grpc")]
            pem,
        })
    }

    /// Returns them as roots of trust.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates.iter().cloned());
        roots
    }
}
