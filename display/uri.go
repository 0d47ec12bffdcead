package display

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
)

// maxURI bounds all URIs but data URIs. Signed object-store addresses take some
// 2 KB.
const maxURI = 8192

// schemes lists what can be fetched, for error messages.
const schemes = "http, https, data or file"

// parseURI checks a picture's URI and takes it apart. A data URI's content is
// left in Opaque. MaxBytes bounds what a data URI may hold.
func parseURI(uri string, maxBytes int64) (*url.URL, error) {
	scheme, rest, ok := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme)
	if ok && scheme == "data" {
		// Not for url.Parse, which would copy and scan megabytes. Percent-encoded
		// bytes take three each.
		if int64(len(rest)) > 3*maxBytes+maxURI {
			return nil, fmt.Errorf("data URI of %d bytes: %w: the limit for pictures is %d bytes", len(uri), ErrTooLarge, maxBytes)
		}
		return &url.URL{Scheme: "data", Opaque: rest}, nil
	}
	if len(uri) > maxURI {
		return nil, fmt.Errorf("address of %d bytes: %w: the limit is %d bytes", len(uri), ErrTooLarge, maxURI)
	}
	u, err := url.Parse(uri)
	if err != nil {
		// The reason without url.Error's copy of the address, which may hold a
		// password.
		return nil, fmt.Errorf("%w: %s is no valid address", ErrRefused, redact(uri))
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" {
			return nil, fmt.Errorf("%w: %s names no host", ErrRefused, redact(uri))
		}
		u.Fragment, u.RawFragment = "", ""
	case "file":
		switch {
		case u.Host != "" && !strings.EqualFold(u.Host, "localhost"):
			return nil, fmt.Errorf("%w: file addresses of another host; use file:///path", ErrRefused)
		case u.Path == "" || u.Path[0] != '/':
			return nil, fmt.Errorf("%w: %s is no absolute file address; use file:///path", ErrRefused, redact(uri))
		case strings.ContainsRune(u.Path, 0):
			return nil, fmt.Errorf("%w: file name with a zero byte", ErrRefused)
		}
	case "":
		return nil, fmt.Errorf("%w: %s has no scheme; use %s", ErrRefused, redact(uri), schemes)
	default:
		return nil, fmt.Errorf("%w: scheme %.20q; use %s", ErrRefused, u.Scheme, schemes)
	}
	return u, nil
}

// parseData decodes what follows "data:" (RFC 2397): an optional media type,
// which is ignored, an optional ";base64", a comma and the content.
func parseData(rest string, maxBytes int64) ([]byte, error) {
	head, body, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, fmt.Errorf("%w: data URI without a comma", ErrPicture)
	}
	isBase64 := len(head) >= 7 && strings.EqualFold(head[len(head)-7:], ";base64")
	data, err := unescape(body)
	if err != nil {
		return nil, err
	}
	if isBase64 {
		if data, err = decodeBase64(data); err != nil {
			return nil, fmt.Errorf("%w: data URI with broken base64: %w", ErrPicture, err)
		}
	}
	if int64(len(data)) > maxBytes {
		return nil, fmt.Errorf("data URI: %w: %d bytes, the limit is %d", ErrTooLarge, len(data), maxBytes)
	}
	return data, nil
}

// unescape undoes percent-encoding. A plus sign stays one, unlike in forms.
func unescape(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return nil, fmt.Errorf("%w: data URI that ends within %%xx", ErrPicture)
			}
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi > 15 || lo > 15 {
				return nil, fmt.Errorf("%w: data URI with %q for a byte", ErrPicture, s[i:i+3])
			}
			c = hi<<4 | lo
			i += 2
		}
		out = append(out, c)
	}
	return out, nil
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// decodeBase64 decodes both alphabets of RFC 4648, with or without padding and
// with white space in between, in place.
func decodeBase64(data []byte) ([]byte, error) {
	clean := data[:0]
	for _, c := range data {
		switch c {
		case ' ', '\t', '\r', '\n', '\f':
			continue
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		clean = append(clean, c)
	}
	for range 2 {
		if n := len(clean); n > 0 && clean[n-1] == '=' {
			clean = clean[:n-1]
		}
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, err := base64.RawStdEncoding.Decode(out, clean)
	return out[:n], err
}

// redact returns uri as it may be logged: no user, password, query (which holds
// the signature of a signed address) or picture data, and not endless.
func redact(uri string) string {
	const longest = 120
	scheme, rest, ok := strings.Cut(uri, ":")
	if ok && strings.EqualFold(scheme, "data") {
		head, _, _ := strings.Cut(rest, ",")
		return fmt.Sprintf("data:%.40q (%d bytes)", head, len(uri))
	}
	shown, _, cut := strings.Cut(uri, "?")
	shown, _, _ = strings.Cut(shown, "#")
	if before, after, ok := strings.Cut(shown, "//"); ok {
		authority, path, slash := strings.Cut(after, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			authority = authority[at+1:]
		}
		shown = before + "//" + authority
		if slash {
			shown += "/" + path
		}
	}
	if at := strings.LastIndexByte(shown, '@'); at >= 0 {
		// An address so odd that its parts cannot be told apart.
		shown = "…" + shown[at:]
	}
	if len(shown) > longest {
		shown = shown[:longest] + "…"
	}
	if cut {
		shown += "?…"
	}
	return fmt.Sprintf("%q", shown)
}
