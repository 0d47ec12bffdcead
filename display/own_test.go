package display

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// A server of ours may have a certificate that no authority has signed, and for another host. One of
// another server counts as everywhere, also if it seems to have a picture of ours.
func TestOwnCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("\xFF\xD8\xFFpicture")) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	localhost := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // for which its certificate is not
	its, another := server.Certificate(), &x509.Certificate{Raw: []byte("another")}
	for name, tc := range map[string]struct {
		url  string
		own  *x509.Certificate
		root bool
		ok   bool
	}{
		"ours":                            {server.URL + "/ours", its, false, true},
		"ours, by another name":           {localhost + "/ours", its, false, true},
		"ours, another path":              {server.URL + "/theirs", its, false, false},
		"another's":                       {server.URL + "/ours", another, false, false},
		"we have none":                    {server.URL + "/ours", nil, false, false},
		"an authority's":                  {server.URL + "/ours", another, true, true},
		"an authority's, by another name": {localhost + "/ours", another, true, false},
	} {
		o := FetchOpts{Own: func(u *url.URL) bool { return u.Path == "/ours" }, OwnCertificate: func() *x509.Certificate { return tc.own },
			AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
		if tc.root {
			o.RootCAs = x509.NewCertPool()
			o.RootCAs.AddCert(its)
		}
		f := newFetcher(o)
		_, err := f.fetch(t.Context(), tc.url)
		f.close()
		if (err == nil) != tc.ok || err != nil && !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
