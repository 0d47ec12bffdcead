// Package certificate has the certificate of the web server: one from files of the user, or one
// that the agent has made itself and keeps in the folder web-tls of its state folder.
//
//	Open ──> Source ── Get ──> each TLS handshake
//	            │
//	            └─ files that have changed are read again, and a certificate of our own making is
//	               made anew before it ends: at the next handshake, so that no timer waits for it
//
// What a browser shows of it, the SHA-256 fingerprint of the certificate, is [Fingerprint].
package certificate
