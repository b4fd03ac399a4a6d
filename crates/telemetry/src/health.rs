//! How the way to the receiver is, for `/health`, the dashboard and `status`.
