package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pithings/mqttlink/durable"
)

// MaxSigned is how long a signed address may hold.
const MaxSigned = 30 * 24 * time.Hour

// keyBytes is the length of the key by which addresses are signed.
const keyBytes = 32

// key returns the key of the state folder, which is made for the first address. Without that file
// no address holds that was signed before.
func (d *Door) key(make bool) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.signing != nil || d.state == "" {
		return d.signing, nil
	}
	name := filepath.Join(d.state, Folder, "key")
	key, err := durable.ReadFile(name, keyBytes)
	switch {
	case err == nil && len(key) == keyBytes:
		d.signing = key
		return key, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("web access: %w", err)
	case !make:
		return nil, nil
	}
	key = append(key[:0], newKey()...)
	if err = durable.MakeFolder(filepath.Dir(name)); err == nil {
		err = durable.Replace(name, key)
	}
	if err != nil {
		return nil, fmt.Errorf("web access: %w", err)
	}
	d.signing = key
	return key, nil
}

func newKey() []byte {
	var b [keyBytes]byte
	rand.Read(b[:]) // never fails
	return b[:]
}

// Sign returns the query by which a path can be fetched without a login until a time.
func (d *Door) Sign(path string, until time.Time) (string, error) {
	key, err := d.key(true)
	if err != nil {
		return "", err
	}
	if key == nil {
		return "", errors.New("web access: this agent has no state folder for the key that signs addresses")
	}
	exp := strconv.FormatInt(until.Unix(), 10)
	return url.Values{"exp": {exp}, "sig": {sign(key, path, exp)}}.Encode(), nil
}

// IsSigned reports whether a query has the form of one of Sign, which says nothing of whether it holds.
func IsSigned(query string) bool {
	exp, sig, ok := strings.Cut(strings.TrimPrefix(query, "exp="), "&sig=")
	mac, err := base64.RawURLEncoding.Strict().DecodeString(sig)
	_, bad := strconv.ParseUint(exp, 10, 40)
	return ok && strings.HasPrefix(query, "exp=") && bad == nil && err == nil && len(mac) == sha256.Size
}

func sign(key []byte, path, exp string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(path + "\n" + exp))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Signed reports whether a query of Sign holds for a path.
func (d *Door) Signed(path string, query url.Values) bool {
	exp, sig := query.Get("exp"), query.Get("sig")
	until, err := strconv.ParseInt(exp, 10, 64)
	if err != nil || sig == "" || !d.now().Before(time.Unix(until, 0)) {
		return false
	}
	key, err := d.key(false)
	return err == nil && key != nil && same(sig, sign(key, path, exp))
}
