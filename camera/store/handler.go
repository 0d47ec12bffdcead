package store

import (
	"net/http"
	"os"
	"strings"
	"time"
)

// Handler serves the pictures: GET and HEAD of /NAME, where NAME is the last part
// of a URI that Put returned. Everything else is not found, a list of the
// pictures too.
func (d *Disk) Handler() http.Handler { return http.HandlerFunc(d.serve) }

func (d *Disk) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/")
	if !ok || !IsName(name) || !d.has(name) {
		notFound(w)
		return
	}
	f, err := os.Open(d.path(name))
	if err != nil {
		notFound(w) // removed a moment ago
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		notFound(w)
		return
	}
	h.Set("Content-Type", "image/jpeg")
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	h.Set("ETag", `"`+name+`"`)
	// The time of a file gives its order and not always when it was taken.
	http.ServeContent(w, r, "", time.Time{}, f)
}

func notFound(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "no such picture", http.StatusNotFound)
}
