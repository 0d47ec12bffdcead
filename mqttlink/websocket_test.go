package mqttlink

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// serveWebSocket puts the script behind an HTTP server at /mqtt.
func serveWebSocket(t *testing.T, s *script, c *tls.Config) string {
	t.Helper()
	up := websocket.Upgrader{Subprotocols: []string{"mqtt"}}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mqtt" || r.URL.RawQuery != "sig=1" {
			http.NotFound(w, r)
			return
		}
		ws, err := up.Upgrade(w, r, nil)
		if err != nil || ws.Subprotocol() != "mqtt" {
			t.Errorf("upgrade: %v, subprotocol %q", err, ws.Subprotocol())
			return
		}
		s.wg.Add(1)
		defer s.wg.Done()
		s.serve(&binaryFrames{Conn: ws.NetConn(), ws: ws})
	}))
	if c != nil {
		srv.TLS = c
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(func() {
		srv.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return srv.Listener.Addr().String()
}

func TestWebSocket(t *testing.T) {
	ca := newAuthority(t, "test")
	cert, key := ca.issue("client", "", -time.Hour, year)
	for _, tt := range []struct {
		name string
		tls  *tls.Config
	}{
		{"ws", nil},
		{"wss", ca.server("127.0.0.1", -time.Hour, year, tls.RequireAndVerifyClientCert)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// A proxy named in the environment must not be used.
			t.Setenv("http_proxy", "http://127.0.0.1:1")
			t.Setenv("https_proxy", "http://127.0.0.1:1")
			t.Setenv("all_proxy", "socks5://127.0.0.1:1")
			s := &script{drop: func(session, n int) bool { return session == 1 && n == 100 }}
			addr := serveWebSocket(t, s, tt.tls)
			o := options(addr)
			o.Endpoint = tt.name + "://" + addr + "/mqtt?sig=1"
			if tt.tls != nil {
				o.CA, o.Cert, o.Key = ca.file, cert, key
			}
			l := run(t, o)
			publish(t, l, 1, numbers(200)...)
			flush(t, l)
			checkDelivery(t, s, 200, 20)
			if err := l.Publish(t.Context(), Message{Topic: "t", Payload: []byte(strings.Repeat("200", 50000)), QoS: 1}); err != nil {
				t.Fatal(err)
			}
			flush(t, l)
			if !l.LocalAddr().IsLoopback() {
				t.Errorf("local address %v", l.LocalAddr())
			}
		})
	}
}

// binaryFrames is the server's end of a WebSocket.
type binaryFrames struct {
	net.Conn
	ws    *websocket.Conn
	frame io.Reader // what is left of the one being read
}

func (f *binaryFrames) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil {
		if f.frame == nil {
			if _, f.frame, err = f.ws.NextReader(); err != nil {
				return 0, err
			}
		}
		if n, err = f.frame.Read(p); err == io.EOF {
			f.frame, err = nil, nil
		}
	}
	return n, err
}

func (f *binaryFrames) Write(p []byte) (int, error) {
	return len(p), f.ws.WriteMessage(websocket.BinaryMessage, p)
}
