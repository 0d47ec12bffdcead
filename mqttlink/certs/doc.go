// Package certs reads the certificates and private keys that people really have,
// and explains in words why a certificate is refused.
//
// # Reading
//
// ReadAuthorities and ReadPair take PEM as OpenSSL does, and what happens to PEM on
// its way: a byte order mark, UTF-16, CRLF, indented lines, line breaks written as
// "\n", everything on one line, a missing line break between two blocks, text around
// the blocks, a chain in the wrong order. DER is taken, too. What cannot be used is
// refused with the command that converts it:
//
//	file ──plain──▶ text ──pemBlocks──▶ blocks ──▶ certificates, keys
//	     └──────────────── derBlocks ─▶
//
// A file or folder of authorities is refused only if nothing in it is good.
//
// # Explaining
//
// Server.Explain follows the chain of a broker's certificate upwards, over what the
// broker sent and over the user's own authorities, and reports the first thing that
// is wrong with it: which certificate, from which file, and the openssl option that
// makes it right. docs/certificates.md lists forms and messages for users.
package certs
