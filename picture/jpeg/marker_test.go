package jpeg

import "testing"

// TestNextPassesOverStrayBytes: some cameras leave bytes before a marker in every
// frame (pits#24, mjpg-streamer#236).
func TestNextPassesOverStrayBytes(t *testing.T) {
	data := []byte{0xFF, SOI, 1, 2, 0, 0xFF, 0, 3, 0xFF, 0xFF, 0xFF, DRI, 0, 4, 0, 9, 7, 0xFF, RST0, 0xFF, EOI, 0xFF}
	want := []Segment{
		{Marker: SOI, At: 0, End: 2}, {Marker: DRI, At: 10, Body: []byte{0, 9}, End: 16},
		{Marker: RST0, At: 17, End: 19}, {Marker: EOI, At: 19, End: 21},
	}
	at := 0
	for _, w := range want {
		s, ok := Next(data, at)
		if !ok || s.Marker != w.Marker || s.At != w.At || s.End != w.End || string(s.Body) != string(w.Body) || s.Short {
			t.Fatalf("after %d: %+v, %v; want %+v", at, s, ok, w)
		}
		at = s.End
	}
	if s, ok := Next(data, at); ok {
		t.Errorf("another marker: %+v", s)
	}
	if s, ok := Next([]byte{0xFF, DQT, 0, 9, 1}, 0); !ok || !s.Short || s.Body != nil || s.End != 5 {
		t.Errorf("a segment cut short: %+v, %v", s, ok)
	}
}

func FuzzNext(f *testing.F) {
	f.Add([]byte{0xFF, SOI, 0xFF, SOF0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0, 0xFF, EOI})
	f.Fuzz(func(t *testing.T, data []byte) {
		for at := 0; ; {
			s, ok := Next(data, at)
			if !ok {
				return
			}
			if s.At < at || s.End <= s.At || s.End > len(data) || data[s.At] != 0xFF {
				t.Fatalf("at %d of %d: %+v", at, len(data), s)
			}
			if isFrame(s.Marker) {
				if h, err := ParseFrame(s); err == nil && (h.Width < 1 || h.Height < 1 || h.MaxH > 4) {
					t.Fatalf("%+v", h)
				}
			}
			at = s.End
		}
	})
}
