package display

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"strconv"

	"pithings/hw"
)

// Mirror returns a handler that answers GET with the screen's present pixels
// as a PNG, decoded from the pixel memory by its geometry, so that simulated
// and real screens can be looked at in the same way. Pixels come as they are on
// the panel: a rotated picture is rotated here too. Without a screen it answers
// 503. Who may look is up to the caller.
func (s *Screen) Mirror() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "use GET", http.StatusMethodNotAllowed)
			return
		}
		body, err := s.PNG()
		if err != nil {
			http.Error(w, "no screen: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "image/png")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodGet {
			w.Write(body) // an error is the client's, who left
		}
	})
}

// PNG returns the screen's present pixels as a PNG file. One call at a time has the
// memory for it.
func (s *Screen) PNG() ([]byte, error) {
	s.mirror.Lock()
	defer s.mirror.Unlock()
	img, err := s.snapshot()
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := e.Encode(&body, img); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

// snapshot copies the pixel memory into an opaque picture.
func (s *Screen) snapshot() (*image.NRGBA, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fb == nil {
		return nil, hw.ErrNotFound
	}
	img := image.NewNRGBA(image.Rect(0, 0, s.blit.geo.Width, s.blit.geo.Height))
	var short error
	err := s.fb.Read(func(pix []byte) {
		if short = s.blit.fits(pix); short == nil {
			unpack(img, pix, s.blit.geo)
		}
	})
	if err != nil {
		return nil, s.failed(err)
	}
	return img, short
}

// unpack decodes pix into img, which has the geometry's size.
func unpack(img *image.NRGBA, pix []byte, g hw.Geometry) {
	size := g.BitsPerPixel / 8
	channel := func(f hw.Bitfield) (shift int, mask uint32, table [256]byte) {
		top := 1<<f.Length - 1
		for v := range top + 1 {
			table[v] = byte((v*255 + top/2) / top)
		}
		return f.Offset, uint32(top), table
	}
	rs, rm, rt := channel(g.Red)
	gs, gm, gt := channel(g.Green)
	bs, bm, bt := channel(g.Blue)
	for y := range g.Height {
		row := pix[y*g.Stride:][:g.Width*size]
		out := img.Pix[y*img.Stride:]
		for x := range g.Width {
			var v uint32
			for i := size - 1; i >= 0; i-- {
				v = v<<8 | uint32(row[x*size+i])
			}
			o := out[4*x : 4*x+4 : 4*x+4]
			o[0], o[1], o[2], o[3] = rt[v>>rs&rm], gt[v>>gs&gm], bt[v>>bs&bm], 255
		}
	}
}
