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

	"pithings/mqttlink/certs"
	"pithings/mqttlink/dial"
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
	// private networks among them, because cameras live there, but not this machine
	// itself.
	AllowNets []netip.Prefix
	// Own reports whether an address names a picture of our own. Only those are
	// fetched from loopback addresses, unless AllowNets has the address: whoever may
	// send display commands could otherwise have this machine ask its own services
	// for anything. Default: none.
	Own func(*url.URL) bool
	// OwnCertificate, if not nil, returns the certificate of the server of our own pictures, or nil.
	// A server that has it is trusted with them, whoever has signed it and for whichever host.
	OwnCertificate func() *x509.Certificate
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
	dialer *dial.Dialer
	client *http.Client
}

func newFetcher(opts FetchOpts) *fetcher {
	opts = opts.withDefaults()
	f := &fetcher{opts: opts, rules: addressRules{allow: opts.AllowNets, deny: opts.DenyNets, hosts: opts.AllowHosts}}
	f.dialer = &dial.Dialer{Control: f.rules.control}
	// Connections are not shared, because one that was made for a picture of our own
	// must not serve another request.
	others := f.transport(f.dialer.DialContext)
	rules := f.rules
	rules.loopback = true
	own := f.transport(func(ctx context.Context, network, address string) (net.Conn, error) {
		d := *f.dialer
		d.Control = rules.control
		return d.DialContext(ctx, network, address)
	})
	f.trustOwn(own)
	f.client = &http.Client{Transport: &byOwner{opts.Own, own, others}, CheckRedirect: f.redirect}
	return f
}

// transport returns a transport that dials by means of d.
func (f *fetcher) transport(d func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	t := &http.Transport{
		DialContext: d,
		// Compressed answers would be a second way to send a bomb, and pictures
		// are compressed already.
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           1,
		IdleConnTimeout:        30 * time.Second, // a motion often brings several pictures
	}
	if f.opts.RootCAs != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: f.opts.RootCAs}
	}
	if f.opts.UseProxy {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// byOwner sends each request, redirected ones too, by the transport that is for
// its address.
type byOwner struct {
	isOwn       func(*url.URL) bool
	own, others *http.Transport
}

func (t *byOwner) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.isOwn != nil && t.isOwn(req.URL) {
		return t.own.RoundTrip(req)
	}
	return t.others.RoundTrip(req)
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (t *byOwner) CloseIdleConnections() {
	t.own.CloseIdleConnections()
	t.others.CloseIdleConnections()
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
	return nil, fmt.Errorf("fetch %s: %w", redact(uri), certs.Web(err, u.Host))
}

// vet refuses what the rules forbid as it stands, without the network.
func (f *fetcher) vet(uri string) error {
	u, err := parseURI(uri, f.opts.MaxBytes)
	if err != nil {
		return err
	}
	if u.Scheme == "data" && !strings.Contains(u.Opaque, ",") {
		return errNoComma
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	if err := f.rules.checkHost(u.Hostname()); err != nil {
		return fmt.Errorf("fetch %s: %w", redact(uri), err)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil || f.opts.UseProxy { // a name, or it is the proxy that is dialled
		return nil
	}
	rules := f.rules
	rules.loopback = f.opts.Own != nil && f.opts.Own(u)
	if err := rules.check(ip); err != nil {
		return fmt.Errorf("fetch %s: %w", redact(uri), err)
	}
	return nil
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
		return nil, f.elsewhere(u, plainError(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, f.elsewhere(u, fmt.Errorf("%w: the server answers %d %s", ErrPicture, resp.StatusCode, http.StatusText(resp.StatusCode)))
	}
	if resp.ContentLength > f.opts.MaxBytes {
		return nil, f.tooLong()
	}
	return f.readBody(resp)
}

// readBody reads the picture that an answer holds: all of it, or the first one of a
// stream.
func (f *fetcher) readBody(resp *http.Response) ([]byte, error) {
	kind := resp.Header.Get("Content-Type")
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(kind)), "multipart/") {
		return f.readAll(resp.Body, resp.ContentLength)
	}
	data, err := f.readPart(resp.Body, boundary(kind))
	if err != nil {
		return nil, fmt.Errorf("stream of pictures: %w", plainError(err))
	}
	return data, nil
}

// elsewhere adds to the reason why a picture of our own is not here that it may be on
// another machine, whose web server others cannot reach.
func (f *fetcher) elsewhere(u *url.URL, err error) error {
	ip, _ := netip.ParseAddr(u.Hostname())
	if f.opts.Own == nil || !f.opts.Own(u) || !ip.IsLoopback() && u.Hostname() != "localhost" || errors.Is(err, ErrRefused) {
		return err
	}
	return fmt.Errorf("%w; %s is this machine itself: if another one took the picture, set http.listen or http.base_url there to an address that leads to it",
		err, u.Hostname())
}

// redirect is the client's CheckRedirect.
func (f *fetcher) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d redirects", ErrRefused, maxRedirects)
	}
	if s := req.URL.Scheme; s != "http" && s != "https" {
		return fmt.Errorf("%w: redirect to scheme %.20q", ErrRefused, s)
	}
	// The address redirected from may be a signed one: do not pass it on.
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
	folder, name, err := f.inFolder(path, filepath.Abs)
	if err != nil {
		return nil, err
	}
	data, err := f.readIn(folder, name)
	if err != nil {
		// An absolute link leaves its folder for os.Root, wherever it leads to. One
		// that leads into an allowed folder is read there.
		if real, linked := filepath.EvalSymlinks(path); linked == nil && real != path {
			if folder, name, outside := f.inFolder(real, filepath.EvalSymlinks); outside == nil {
				data, err = f.readIn(folder, name)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("picture file %q: %w", path, err)
	}
	return data, nil
}

// inFolder finds the allowed folder that path is in, and its name there. Full
// makes a full path of a folder's.
func (f *fetcher) inFolder(path string, full func(string) (string, error)) (folder, name string, err error) {
	for _, folder := range f.opts.AllowFolders {
		folder, err := full(folder)
		if err != nil {
			continue
		}
		if name, err := filepath.Rel(folder, path); err == nil && filepath.IsLocal(name) {
			return folder, name, nil
		}
	}
	return "", "", fmt.Errorf("%w: file %q is in no folder that pictures may be read from", ErrRefused, path)
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

// readAll reads r to its end or the limit, or, without a size, to the end of a
// JPEG: a stream of them has no end. Size is a hint, if not negative.
func (f *fetcher) readAll(r io.Reader, size int64) ([]byte, error) {
	const most = 1 << 20 // a promise alone gets no more memory than this
	buf := make([]byte, 0, min(max(size, 4095)+1, most))
	r = io.LimitReader(r, f.opts.MaxBytes+1)
	var whole jpegEnd
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
		case size < 0 && whole.reached(buf):
			return buf, nil
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
