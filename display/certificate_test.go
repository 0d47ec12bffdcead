package display

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// A picture's server with a certificate that the system does not know is explained by
// what makes it known.
func TestCertificateOfAPicturesServerIsExplained(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	f := newFetcher(FetchOpts{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer f.close()
	_, err := f.fetch(t.Context(), srv.URL)
	if err == nil || !strings.Contains(err.Error(), "update-ca-certificates") {
		t.Errorf("error %v", err)
	}
}
