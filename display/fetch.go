package display

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// FetchOpts bounds where pictures come from and what fetching may cost. Zero
// values stand for the defaults.
//
// Link-local, multicast, broadcast and unspecified addresses are refused
// whatever the options say. The rules look at the address that is really
// dialled, at each redirect.
type FetchOpts struct {
	// MaxBytes is the largest picture file. Default: 16 MiB.
	MaxBytes int64
	// Timeout bounds a whole fetch, from name look-up to last byte.
	// Default: 15 s.
	Timeout time.Duration
	// AllowFolders are the folders whose files, at any depth, file: addresses may
	// name. Symbolic links are followed inside a folder, never out of it.
	// Default: none.
	AllowFolders []string
	// AllowNets, if not empty, are the only networks to fetch from. Default: all,
	// private and loopback networks among them, because cameras live there.
	AllowNets []netip.Prefix
	// DenyNets are networks not to fetch from, even if AllowNets has them.
	DenyNets []netip.Prefix
	// AllowHosts, if not empty, are the only hosts to fetch from, as written in
	// the address; ".example.com" allows all hosts below example.com.
	AllowHosts []string
	// RootCAs are the certificate authorities for https. Default: the system's.
	RootCAs *x509.CertPool
	// UseProxy takes a proxy from the environment (HTTP_PROXY …). Default: no,
	// because behind a proxy only the proxy's address can be checked, so that a
	// variable in the environment would open every network the proxy reaches.
	UseProxy bool
}

const (
	defaultMaxBytes = 16 << 20
	defaultTimeout  = 15 * time.Second
	maxRedirects    = 5
)

func (o FetchOpts) withDefaults() FetchOpts {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	return o
}

// ErrRefused: the rules forbid to fetch from this address.
var ErrRefused = errors.New("address refused")

// fetcher gets the bytes that a URI names.
type fetcher struct {
	opts   FetchOpts
	rules  addressRules
	dialer *net.Dialer
	client *http.Client
}

func newFetcher(opts FetchOpts) *fetcher {
	opts = opts.withDefaults()
	f := &fetcher{opts: opts, rules: addressRules{opts.AllowNets, opts.DenyNets, opts.AllowHosts}}
	f.dialer = &net.Dialer{Control: f.rules.control}
	transport := &http.Transport{
		DialContext: f.dialer.DialContext,
		// Compressed answers would be a second way to send a bomb, and pictures
		// are compressed already.
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           1,
		IdleConnTimeout:        30 * time.Second, // a motion often brings several pictures
	}
	if opts.RootCAs != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: opts.RootCAs}
	}
	if opts.UseProxy {
		transport.Proxy = http.ProxyFromEnvironment
	}
	f.client = &http.Client{Transport: transport, CheckRedirect: f.redirect}
	return f
}

// close closes idle connections.
func (f *fetcher) close() { f.client.CloseIdleConnections() }

// fetch returns what uri names, at most opts.MaxBytes of it. Its errors name
// the address without credentials and query.
func (f *fetcher) fetch(ctx context.Context, uri string) ([]byte, error) {
	u, err := parseURI(uri, f.opts.MaxBytes)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "data":
		return parseData(u.Opaque, f.opts.MaxBytes)
	case "file":
		return f.readFile(u.Path)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.opts.Timeout,
		fmt.Errorf("it took longer than %v: %w", f.opts.Timeout, context.DeadlineExceeded))
	defer cancel()
	data, err := f.get(ctx, u)
	if err == nil {
		return data, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return nil, fmt.Errorf("fetch %s: %w", redact(uri), err)
}

// get fetches a picture by HTTP.
func (f *fetcher) get(ctx context.Context, u *url.URL) ([]byte, error) {
	if err := f.rules.checkHost(u.Hostname()); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, plainError(err)
	}
	req.Header.Set("User-Agent", "pithings")
	req.Header.Set("Accept", "image/jpeg, image/png, image/webp, image/gif;q=0.9, */*;q=0.1")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, plainError(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: the server answers %d %s", ErrPicture, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if resp.ContentLength > f.opts.MaxBytes {
		return nil, f.tooLong()
	}
	return f.readAll(resp.Body, resp.ContentLength)
}

// redirect is the client's CheckRedirect.
func (f *fetcher) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d redirects", ErrRefused, maxRedirects)
	}
	if s := req.URL.Scheme; s != "http" && s != "https" {
		return fmt.Errorf("%w: redirect to scheme %.20q", ErrRefused, s)
	}
	// The address redirected from may be a signed one: nobody else's business.
	req.Header.Del("Referer")
	if err := f.rules.checkHost(req.URL.Hostname()); err != nil {
		return fmt.Errorf("redirect: %w", err)
	}
	return nil
}

// readFile reads a file inside an allowed folder.
func (f *fetcher) readFile(path string) ([]byte, error) {
	if runtime.GOOS == "windows" {
		path = strings.TrimPrefix(path, "/") // file:///C:/…
	}
	path = filepath.Clean(filepath.FromSlash(path))
	for _, folder := range f.opts.AllowFolders {
		folder, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(folder, path)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		data, err := f.readIn(folder, rel)
		if err != nil {
			return nil, fmt.Errorf("picture file %q: %w", path, err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("%w: file %q is in no folder that pictures may be read from", ErrRefused, path)
}

func (f *fetcher) readIn(folder, name string) ([]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Without blocking, because a FIFO would wait for its writer.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	st, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%w: it is no regular file", ErrRefused)
	case st.Size() > f.opts.MaxBytes:
		return nil, f.tooLong()
	}
	return f.readAll(file, st.Size())
}

// readAll reads r to its end or the limit. Size is a hint, if not negative.
func (f *fetcher) readAll(r io.Reader, size int64) ([]byte, error) {
	const most = 1 << 20 // a promise alone gets no more memory than this
	buf := make([]byte, 0, min(max(size, 4095)+1, most))
	r = io.LimitReader(r, f.opts.MaxBytes+1)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > f.opts.MaxBytes:
			return nil, f.tooLong()
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, plainError(err)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

func (f *fetcher) tooLong() error {
	return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, f.opts.MaxBytes)
}

// plainError strips url.Error, which repeats the address with its query.
func plainError(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}
