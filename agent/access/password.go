package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What a new hash costs: 19 MiB and two passes, the second of the choices of OWASP's Password
// Storage Cheat Sheet; a Pi Zero has 512 MiB for everything.
const (
	hashMemory = 19 << 10 // KiB
	hashTime   = 2
	saltBytes  = 16
	hashBytes  = 32
)

// What a hash of another program may cost at most.
const (
	maxMemory = 64 << 10 // KiB
	maxTime   = 10
)

// The length of a password, in bytes.
const (
	MinPassword = 8
	MaxPassword = 256
)

// argon is a hash in parts.
type argon struct {
	memory, time uint32
	salt, sum    []byte
}

// CheckPassword reports what is wrong with a new password.
func CheckPassword(password string) error {
	switch {
	case len(password) < MinPassword:
		return fmt.Errorf("the password has less than %d bytes; make one with: pithings passwd --generate", MinPassword)
	case len(password) > MaxPassword:
		return fmt.Errorf("the password has more than %d bytes", MaxPassword)
	}
	return nil
}

// Hash returns the hash of a password in the PHC string format, as
// $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH.
func Hash(password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	a := argon{memory: hashMemory, time: hashTime, salt: make([]byte, saltBytes)}
	rand.Read(a.salt) // never fails
	a.sum = a.of(password, hashBytes)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, a.memory, a.time, encode(a.salt), encode(a.sum)), nil
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// CheckHash reports what is wrong with a hash.
func CheckHash(hash string) error {
	_, err := parseHash(hash)
	return err
}

// parseHash reads a hash, of Hash or another program, within the bounds.
func parseHash(hash string) (a argon, err error) {
	bad := func(what string) (argon, error) {
		return a, fmt.Errorf("the password hash %s; make one with: pithings passwd --hash", what)
	}
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad("is none of argon2id, version 19")
	}
	var threads uint32
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &a.memory, &a.time, &threads); n != 3 || err != nil ||
		parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", a.memory, a.time, threads) {
		return bad("has no cost m=…,t=…,p=…")
	}
	if threads != 1 || a.memory < 8 || a.memory > maxMemory || a.time < 1 || a.time > maxTime {
		return bad(fmt.Sprintf("costs too much or too little: at most m=%d, t=%d, and p=1", maxMemory, maxTime))
	}
	var errs [2]error
	a.salt, errs[0] = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	a.sum, errs[1] = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errors.Join(errs[:]...) != nil || len(a.salt) < 8 || len(a.salt) > 64 || len(a.sum) < 16 || len(a.sum) > 64 {
		return bad("has no salt of 8 to 64 bytes and sum of 16 to 64 in base64 without padding")
	}
	return a, nil
}

func (a *argon) of(password string, length int) []byte {
	return argon2.IDKey([]byte(password), a.salt, a.time, a.memory, 1, uint32(length))
}

// verify reports whether a password is that of a hash. The memory goes back to the system at
// once: it is twice what an idle agent has, and would stay for minutes.
func (a *argon) verify(password string) bool {
	defer debug.FreeOSMemory()
	return subtle.ConstantTimeCompare(a.of(password, len(a.sum)), a.sum) == 1
}
