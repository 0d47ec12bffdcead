package things

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pithings/conf"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// A command whose address is refused as it stands does not end the fetch of a good
// picture: otherwise a stream of them keeps every picture from the screen.
func TestRefusedCommandLeavesTheOneBeforeItAlone(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		// A white pixel.
		_, _ = w.Write([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	}))
	defer server.Close()
	board, link := mock.New(mock.Options{}), linktest.New()
	defer board.Close()
	defer link.Close()
	settings := new(ScreenSettings)
	conf.Fill(settings)
	settings.Fetch.AllowNets = []string{"127.0.0.1/32"}
	screen, err := settings.Open(Options{Thing: "TG_Screen"}, Env{Board: board, Link: link, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer screen.(*Screen).Close()
	detach, err := screen.Attach()
	if err != nil {
		t.Fatal(err)
	}
	defer detach()
	display := func(uri string) {
		t.Helper()
		if err := link.Inject(mqttlink.Message{Topic: "TG_Screen/display", Payload: []byte(`{"imageUri":"` + uri + `"}`), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	display(server.URL)
	<-asked
	refused := []string{"picture.jpg", "ftp://192.0.2.1/x", "http://", "http://169.254.169.254/", "http://[::1]/", "http://10.1.2.3/", "file://elsewhere/x", "data:image/gif"}
	for _, uri := range refused {
		display(uri)
		if _, err := screen.Call(t.Context(), "display", map[string]any{"imageUri": uri}); err == nil {
			t.Errorf("%s is not refused", uri)
		}
	}
	close(answer)
	white := func() bool {
		r, _, _, _ := board.Framebuffer("/dev/fb0").Image().At(400, 240).RGBA()
		return r > 0x8000
	}
	for deadline := time.Now().Add(10 * time.Second); !white(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the picture is not shown")
		}
	}
}
