package dashboard

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"pithings/api"
)

//go:embed assets
var assets embed.FS

// Name is that of the service.
const Name = "page"

// policy is what the page may do (https://www.w3.org/TR/CSP3/): run its own script, no other and none
// in the text, ask its own agent and no other host, and be shown in a frame of its own site only,
// which Home Assistant's is when it hands the page on.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// Page is the service that hands the page out.
type Page struct{}

// Name implements agent.Service.
func (Page) Name() string { return Name }

// Run implements agent.Service. There is nothing to do but to answer.
func (Page) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Routes implements agent.Router. The files say nothing of this agent, so that everyone may have them; what
// they show comes from routes that ask who wants it.
func (Page) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Path: "/{$}", For: api.Anyone, Doc: "show the page", Media: "text/html",
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, r, "index.html") })},
		{Method: http.MethodGet, Path: "/page/{file}", For: api.Anyone, Doc: "fetch a file of the page", Media: "application/octet-stream",
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, r, r.PathValue("file")) })},
	}
}

// serve hands a file out, compressed unless the client cannot read that.
func serve(w http.ResponseWriter, r *http.Request, name string) {
	text, err := assets.ReadFile(path.Join("assets", path.Base(name)+".gz"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", kind(name))
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// A browser asks each time whether it has changed, so that page and agent are of one version.
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	h.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if text, err = unpack(text); err != nil {
			api.Fail(w, err)
			return
		}
	} else {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // the client has gone
}

// kind is the Content-Type of a file.
func kind(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}

func unpack(text []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("a file of the page: %w", err)
	}
	return io.ReadAll(z)
}
