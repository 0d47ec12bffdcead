package display

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/hw"
)

func dataURI(t testing.TB, img image.Image) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(encodePNG(t, img))
}

func TestPictureIsClearedInTime(t *testing.T) {
	picture := dataURI(t, corners(16, 12))
	ctx := context.Background()
	show := func(t *testing.T, s *Screen) {
		t.Helper()
		if err := s.Show(ctx, picture); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
	tests := []struct {
		name string
		opts Opts
		run  func(t *testing.T, s *Screen, f *fakeScreen)
		want bool // black in the end
	}{
		{"after 10 s by default", DefaultOpts(), func(t *testing.T, s *Screen, f *fakeScreen) {
			show(t, s)
			wait(9999 * time.Millisecond)
			if f.isBlack() {
				t.Error("cleared too early")
			}
			wait(time.Millisecond)
		}, true},
		{"never when 0", Opts{}, func(t *testing.T, s *Screen, f *fakeScreen) {
			show(t, s)
			wait(1000 * time.Hour)
		}, false},
		{"not by the timer of an older picture", DefaultOpts(), func(t *testing.T, s *Screen, f *fakeScreen) {
			show(t, s)
			wait(6 * time.Second)
			show(t, s)
			wait(9 * time.Second)
		}, false},
		{"in time though a newer picture fails", DefaultOpts(), func(t *testing.T, s *Screen, f *fakeScreen) {
			show(t, s)
			wait(6 * time.Second)
			if err := s.Show(ctx, "data:,nothing"); err == nil {
				t.Error("shown")
			}
			wait(4 * time.Second)
		}, true},
		{"by a blank address", Opts{}, func(t *testing.T, s *Screen, f *fakeScreen) {
			show(t, s)
			if err := s.Show(ctx, " \t\n"); err != nil {
				t.Error(err)
			}
		}, true},
		{"by Clear, whose picture's timer does not clear the next", DefaultOpts(), func(t *testing.T, s *Screen, f *fakeScreen) {
			show(t, s)
			wait(5 * time.Second)
			if err := s.Clear(ctx); err != nil {
				t.Error(err)
			}
			if !f.isBlack() {
				t.Error("not cleared")
			}
			show(t, s)
			wait(9 * time.Second)
		}, false},
		{"by Close", DefaultOpts(), func(t *testing.T, s *Screen, f *fakeScreen) {
			show(t, s)
			if err := errors.Join(s.Close(), s.Close()); err != nil {
				t.Error(err)
			}
			if f.closed != 1 {
				t.Errorf("closed %d times", f.closed)
			}
			if err := s.Show(ctx, picture); !errors.Is(err, ErrClosed) {
				t.Errorf("show after close: %v", err)
			}
			n := f.drawings
			wait(time.Minute)
			if f.drawings != n {
				t.Error("drawn after close")
			}
		}, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(rgb565)
				s := newScreen(t, f, tc.opts)
				tc.run(t, s, f)
				if f.isBlack() != tc.want {
					t.Errorf("black: %v", !tc.want)
				}
			})
		})
	}
}

func TestScreenComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		picture := dataURI(t, corners(16, 12))
		f := newFake(rgb565)
		f.absent = hw.ErrNotFound
		s := newScreen(t, f, DefaultOpts())
		for _, err := range []error{s.Check(ctx), s.Show(ctx, picture), s.Clear(ctx), s.ShowImage(ctx, corners(2, 2))} {
			if !errors.Is(err, hw.ErrNotFound) || !strings.Contains(err.Error(), "/dev/fb0") {
				t.Errorf("without a screen: %v", err)
			}
		}
		f.absent = nil
		if err := s.Check(ctx); err != nil {
			t.Fatal(err)
		}
		if !f.isBlack() {
			t.Error("a screen just opened is not black")
		}
		if err := errors.Join(s.Check(ctx), s.Show(ctx, picture)); err != nil {
			t.Fatal(err)
		}

		f.vanish(padded565)
		if err := s.Check(ctx); !errors.Is(err, hw.ErrGone) {
			t.Errorf("check of a screen that has gone: %v", err)
		}
		if f.closed != 1 {
			t.Error("the old handle is still open")
		}
		time.Sleep(time.Minute) // the timer of the lost picture has no effect
		if err := s.Check(ctx); err != nil {
			t.Fatal(err)
		}

		// A mode change between two pictures is not even noticed.
		f.vanish(xrgb8888)
		if err := s.Show(ctx, picture); err != nil {
			t.Fatal(err)
		}
		compare(t, &fakeScreen{geo: f.geo, pix: f.snapshot()}, expected(corners(16, 12), Contain, 1, 0, 80, 48), 9)

		// The timer finds out that the screen has gone, and the next one heals it.
		f.vanish(xrgb8888)
		f.absent = hw.ErrPermission
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := s.Show(ctx, picture); !errors.Is(err, hw.ErrPermission) {
			t.Errorf("show: %v", err)
		}
		f.absent = nil
		if err := s.Show(ctx, picture); err != nil || f.isBlack() {
			t.Errorf("show: %v", err)
		}
	})
}

func TestUnusableGeometryIsRefused(t *testing.T) {
	g := rgb565
	g.BitsPerPixel = 8
	f := newFake(rgb565)
	f.geo = g
	s := newScreen(t, f, Opts{})
	if err := s.Check(context.Background()); !errors.Is(err, hw.ErrUnsupported) || f.closed != 1 {
		t.Errorf("8 bits: %v, closed %d times", err, f.closed)
	}
	f = newFake(rgb565)
	f.pix = f.pix[:100]
	s = newScreen(t, f, Opts{})
	if err := s.Check(context.Background()); err == nil || f.closed != 1 {
		t.Errorf("too little memory: %v, closed %d times", err, f.closed)
	}
}

func TestTheNewestCommandWins(t *testing.T) {
	arrived := make(chan struct{}, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer srv.Close()
	ctx := context.Background()
	for name, newer := range map[string]func(s *Screen) error{
		"another address": func(s *Screen) error { return s.Show(ctx, dataURI(t, corners(16, 12))) },
		"an image":        func(s *Screen) error { return s.ShowImage(ctx, corners(16, 12)) },
		"a blank address": func(s *Screen) error { return s.Show(ctx, "") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(rgb565)
			s := newScreen(t, f, Opts{})
			older := make(chan error, 1)
			go func() { older <- s.Show(ctx, srv.URL) }()
			<-arrived
			if err := newer(s); err != nil {
				t.Fatal(err)
			}
			if err := <-older; !errors.Is(err, ErrSuperseded) {
				t.Errorf("older command: %v", err)
			}
			if want := name == "a blank address"; f.isBlack() != want {
				t.Errorf("black: %v", !want)
			}
		})
	}
	t.Run("Close", func(t *testing.T) {
		s := newScreen(t, newFake(rgb565), Opts{})
		older := make(chan error, 1)
		go func() { older <- s.Show(ctx, srv.URL) }()
		<-arrived
		s.Close()
		if err := <-older; !errors.Is(err, ErrSuperseded) {
			t.Errorf("show: %v", err)
		}
	})
	t.Run("the caller cancels", func(t *testing.T) {
		s := newScreen(t, newFake(rgb565), Opts{})
		ctx, cancel := context.WithCancel(ctx)
		older := make(chan error, 1)
		go func() { older <- s.Show(ctx, srv.URL) }()
		<-arrived
		cancel()
		if err := <-older; !errors.Is(err, context.Canceled) {
			t.Errorf("show: %v", err)
		}
	})
}

func TestManyCommandsAtOnce(t *testing.T) {
	f := newFake(rgb565)
	s := newScreen(t, f, Opts{ClearAfter: time.Microsecond})
	uris := []string{dataURI(t, corners(16, 12)), "", dataURI(t, corners(30, 60)), "data:,no"}
	done := make(chan struct{})
	for i := range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for j := range 20 {
				s.Show(context.Background(), uris[(i+j)%len(uris)])
				s.Mirror().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			}
		}()
	}
	for range 8 {
		<-done
	}
	if err := s.Show(context.Background(), uris[0]); err != nil {
		t.Error(err)
	}
}

func TestPowerSave(t *testing.T) {
	ctx := context.Background()
	f := newFake(rgb565)
	f.blanked = true // by the console, long ago
	s := newScreen(t, f, Opts{})
	if err := s.Check(ctx); err != nil || f.blanked {
		t.Errorf("without power save the panel is off: %v", err)
	}
	s.Close()

	s = newScreen(t, f, Opts{PowerSave: true})
	for _, step := range []struct {
		name string
		do   func() error
		off  bool
	}{
		{"open", func() error { return s.Check(ctx) }, true},
		{"show", func() error { return s.ShowImage(ctx, corners(4, 4)) }, false},
		{"clear", func() error { return s.Clear(ctx) }, true},
		{"close", s.Close, false},
	} {
		if err := step.do(); err != nil || f.blanked != step.off {
			t.Errorf("%s: panel off is %v, %v", step.name, f.blanked, err)
		}
	}

	f.noBlank = true
	s = newScreen(t, f, Opts{PowerSave: true})
	if err := errors.Join(s.Check(ctx), s.ShowImage(ctx, corners(4, 4)), s.Clear(ctx)); err != nil {
		t.Errorf("a panel that cannot be switched off: %v", err)
	}
}

func TestMirror(t *testing.T) {
	ask := func(s *Screen, method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.Mirror().ServeHTTP(w, httptest.NewRequest(method, "/screen/x.png", nil))
		return w
	}
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			f := newFake(l.geo)
			s := newScreen(t, f, Opts{Rotate: 90})
			if w := ask(s, "GET"); w.Code != http.StatusServiceUnavailable {
				t.Errorf("without a screen: %d", w.Code)
			}
			if err := s.ShowImage(context.Background(), corners(64, 48)); err != nil {
				t.Fatal(err)
			}
			w := ask(s, "GET")
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/png" || w.Header().Get("Cache-Control") != "no-store" {
				t.Fatalf("%d %v", w.Code, w.Header())
			}
			got, err := png.Decode(bytes.NewReader(w.Body.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			if got.Bounds() != image.Rect(0, 0, l.geo.Width, l.geo.Height) {
				t.Fatal(got.Bounds())
			}
			for y := range l.geo.Height {
				for x := range l.geo.Width {
					c := color.NRGBAModel.Convert(got.At(x, y)).(color.NRGBA)
					if want := f.at(x, y); c != (color.NRGBA{want.R, want.G, want.B, 255}) {
						t.Fatalf("pixel %d,%d is %v, want %v", x, y, c, want)
					}
				}
			}
			if w := ask(s, "HEAD"); w.Code != http.StatusOK || w.Body.Len() != 0 {
				t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
			}
			if w := ask(s, "POST"); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("POST: %d", w.Code)
			}
			f.vanish(l.geo)
			if w := ask(s, "GET"); w.Code != http.StatusServiceUnavailable {
				t.Errorf("of a screen that has gone: %d", w.Code)
			}
		})
	}
}

func TestOpts(t *testing.T) {
	for name, tc := range map[string]struct {
		o  Opts
		ok bool
	}{
		"default":    {DefaultOpts(), true},
		"zero":       {Opts{}, true},
		"rotate 45":  {Opts{Rotate: 45}, false},
		"rotate 360": {Opts{Rotate: 360}, false},
		"fit 7":      {Opts{Fit: 7}, false},
	} {
		if err := tc.o.Validate(); tc.ok != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, f := range []Fit{Contain, Cover} {
		if got, err := ParseFit(f.String()); got != f || err != nil {
			t.Errorf("%v: %v, %v", f, got, err)
		}
	}
	if _, err := ParseFit("stretch"); err == nil {
		t.Error("stretch is no fit")
	}
}
