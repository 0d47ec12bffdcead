package document

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Bounds of a download.
const (
	fetchTime    = 30 * time.Second
	maxRedirects = 3
)

// errRedirect is a redirect that is not followed.
var errRedirect = errors.New("it is redirected more than three times, or to an address without https")

// Fetch downloads a document by https, or from this machine. The address may hold a signature (a presigned URL of S3), so that
// errors name its host alone. c is http.DefaultClient if it is nil.
func Fetch(ctx context.Context, address string, c *http.Client) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, errors.New("the document's address is no URL: write https://HOST/PATH, in quotes")
	}
	if !private(u) {
		return nil, fmt.Errorf("the document's address on %s is not https, so that others could read the private key on its way: write https://", u.Host)
	}
	if c == nil {
		c = http.DefaultClient
	}
	bounded := *c
	bounded.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects || !private(r.URL) || u.Scheme != r.URL.Scheme {
			return errRedirect
		}
		r.Header.Del("Referer") // the address itself
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fetchTime, fmt.Errorf("no answer within %v", fetchTime))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("the document's address on %s cannot be requested", u.Host)
	}
	reply, err := bounded.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the document on %s: %w", u.Host, bare(ctx, err))
	}
	defer reply.Body.Close()
	switch {
	case reply.StatusCode == http.StatusForbidden || reply.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("%s refuses the document (%d): a presigned address ends after an hour; have another one made", u.Host, reply.StatusCode)
	case reply.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %d instead of the document: check the address", u.Host, reply.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(reply.Body, MaxSize+1))
	if err = errors.Join(err, ctx.Err()); err != nil { // one that is cut off may look like the end
		return nil, fmt.Errorf("the document on %s: %w", u.Host, bare(ctx, err))
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the document on %s has more than %d bytes: check the address", u.Host, MaxSize)
	}
	return data, nil
}

// private reports whether no other machine can read what an address gives: it is https, or of loopback
// and no name, for which a server would be asked.
func private(u *url.URL) bool {
	a, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && err == nil && a.IsLoopback()
}

// bare is an error without the address that net/http puts in front.
func bare(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if strings.Contains(err.Error(), "?") { // of a redirect's address
		return errRedirect
	}
	return err
}
