package service

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pithings/flow"
)

// A web service with a certificate that the system does not know is explained by what
// makes it known.
func TestCertificateOfAWebServiceIsExplained(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	s, err := New([]flow.ServiceModel{{ID: "x", Actions: map[string]flow.ServiceAction{"do": {Method: http.MethodGet, URL: srv.URL}}}}, Options{AllowNets: loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Call(t.Context(), "x", "do", nil)
	if err == nil || !strings.Contains(err.Error(), "update-ca-certificates") {
		t.Errorf("error %v", err)
	}
}
