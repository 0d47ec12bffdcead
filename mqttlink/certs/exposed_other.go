//go:build !unix

package certs

// Exposed reports whether every user of this system can read a file with a secret. The
// mode of a file says nothing about that here.
func Exposed(string) bool { return false }
