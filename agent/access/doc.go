// Package access decides who may see and do what over HTTP: roles, the password, sessions,
// tokens and the limit of attempts.
//
//	request ── web reads its facts ──> Decide ──> allowed, or a refusal with status and reason
//	              │
//	              └─ Door: password, sessions and tokens, kept in the folder web-access of
//	                 the state folder (docs/access.md)
//
// [Decide] is pure: it knows nothing of HTTP, time or disks. [Door] knows what clients send, as
// hashes only, and package web reads requests.
package access
