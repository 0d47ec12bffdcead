package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pithings/conf/suggest"
)

// Factory makes and deletes devices: what the playground's device factory does, behind its API.
type Factory interface {
	Create(kind string) (Created, error)
	List() []Item
	Describe(name string) (Item, error)
	Delete(name string) error
	Link(source, target string) error
	// Document returns a device's identity as JSON, once.
	Document(name string) ([]byte, error)
}

// Created is the playground's reply to create-device.
type Created struct {
	Name     string `json:"dev_name"`
	Endpoint string `json:"endpoint"`
	Task     string `json:"task_arn"`
	Cluster  string `json:"cluster_arn"`
	Document string `json:"config_file_url"` // set by the server
	Result   string `json:"result"`
}

// Item is a device in the playground's catalog.
type Item struct {
	ID             string `json:"id"`
	Endpoint       string `json:"iot_endpoint"`
	Type           string `json:"device-type"`
	Controlled     string `json:"controlled-device,omitempty"`
	Cert           string `json:"cert"`
	Time           string `json:"ts"`
	Status         string `json:"Status"` // PROV, or RUNNING once it is connected
	IP             string `json:"ip"`
	Task           string `json:"TaskArn"`
	Cluster        string `json:"ClusterArn"`
	CertificateID  string `json:"CertificateId"`
	CertificateArn string `json:"CertificateArn"`
	Policy         string `json:"PolicyName"`
}

// Paths of a factory.
const (
	FactoryPath  = "/factory"
	documentPath = FactoryPath + "/config/"
)

const (
	goodFor    = time.Hour // the address of a document
	maxRequest = 16 << 10  // bytes
)

// FactoryServer serves a factory.
type FactoryServer struct {
	factory Factory
	gate    *Gate
	token   *Token
	base    string // URL of the server, as it knows itself
	key     [sha256.Size]byte
	now     func() time.Time
}

// NewFactoryServer returns a server of a factory at a URL. Each operation needs the token.
func NewFactoryServer(f Factory, gate *Gate, token *Token, base string) *FactoryServer {
	s := &FactoryServer{factory: f, gate: gate, token: token, base: base, now: time.Now}
	_, _ = rand.Read(s.key[:]) // it never fails
	return s
}

// Serve answers a request, if it is of the factory.
func (s *FactoryServer) Serve(w http.ResponseWriter, r *http.Request) bool {
	name, ok := strings.CutPrefix(r.URL.Path, documentPath)
	switch {
	case ok:
		s.document(w, r, name)
	case r.URL.Path == FactoryPath:
		s.operate(w, r)
	default:
		return false
	}
	return true
}

// request is one of the playground's: all operations have the same form.
type request struct {
	Operation string `json:"operation"`
	Type      string `json:"device-type"`
	Device    string `json:"device-id"`
	Source    string `json:"source-device-id"`
	Target    string `json:"target-device-id"`
}

// failure is the playground's reply to an error.
type failure struct {
	Message string `json:"error-message"`
}

// operate does an operation. As in the playground its errors have status 500; those of the token have
// their own.
func (s *FactoryServer) operate(w http.ResponseWriter, r *http.Request) {
	var req request
	err := s.gate.Strange(r)
	switch {
	case err != nil:
		reply(w, http.StatusForbidden, failure{err.Error()})
		return
	case r.Header.Get("Authorization") == "":
		w.Header().Set("WWW-Authenticate", realm)
		reply(w, http.StatusUnauthorized, failure{errToken.Error()})
		return
	case !s.token.Shown(r):
		reply(w, http.StatusForbidden, failure{"that is not the token of this factory"})
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		reply(w, http.StatusMethodNotAllowed, failure{"send an operation with POST"})
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err == nil {
		err = json.Unmarshal(text, &req)
	}
	if err != nil {
		reply(w, http.StatusInternalServerError, failure{"the request is no JSON object with an operation: " + err.Error()})
		return
	}
	answer, err := s.do(req, s.reached(r))
	if err != nil {
		reply(w, http.StatusInternalServerError, failure{err.Error()})
		return
	}
	reply(w, http.StatusOK, answer)
}

// errNoDevice is the playground's.
var errNoDevice = errors.New("device_id not found")

func (s *FactoryServer) do(req request, base string) (any, error) {
	switch req.Operation {
	case "create-device":
		c, err := s.factory.Create(req.Type)
		if err == nil {
			c.Document, c.Result = s.sign(base, c.Name), "OK"
		}
		return c, err
	case "list-devices":
		return map[string][]Item{"devices": s.factory.List()}, nil
	case "describe-device":
		if req.Device == "" {
			return nil, errNoDevice
		}
		item, err := s.factory.Describe(req.Device)
		return map[string]any{"dev-name": req.Device, "data": item}, err
	case "delete-device":
		if req.Device == "" {
			return nil, errNoDevice
		}
		return map[string]string{"dev-name": req.Device, "result": "TERMINATED"}, s.factory.Delete(req.Device)
	case "link-devices":
		return map[string]string{
			"source-device-id": req.Source, "target-device-id": req.Target, "policy-name": req.Source + "-att-" + req.Target + "-Policy",
		}, s.factory.Link(req.Source, req.Target)
	}
	known := []string{"create-device", "list-devices", "describe-device", "delete-device", "link-devices"}
	return nil, fmt.Errorf("there is no operation %.40q%s", req.Operation, suggest.From(req.Operation, known))
}

// secret are the headers of an answer that is for one program only.
func secret(h http.Header) {
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

func reply(w http.ResponseWriter, status int, v any) {
	secret(w.Header())
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the client has gone
}

// reached is the URL by which a client has reached the server, which may listen on all addresses and
// have several names.
func (s *FactoryServer) reached(r *http.Request) string {
	scheme, _, ok := strings.Cut(s.base, "://")
	if !ok || r.Host == "" {
		return s.base
	}
	return scheme + "://" + r.Host
}

// sign returns the address of a device's document. Who has it needs no token.
func (s *FactoryServer) sign(base, name string) string {
	expires := strconv.FormatInt(s.now().Add(goodFor).Unix(), 10)
	return base + documentPath + url.PathEscape(name) + ".cfg?expires=" + expires + "&signature=" + hex.EncodeToString(s.mac(name, expires))
}

func (s *FactoryServer) mac(name, expires string) []byte {
	h := hmac.New(sha256.New, s.key[:])
	h.Write([]byte(name + "\n" + expires)) // a name has no line break
	return h.Sum(nil)
}

// document gives a device's document to who has its address, once and within an hour.
func (s *FactoryServer) document(w http.ResponseWriter, r *http.Request, file string) {
	name, isFile := strings.CutSuffix(file, ".cfg")
	q := r.URL.Query()
	expires, signature := q.Get("expires"), q.Get("signature")
	given, err := hex.DecodeString(signature)
	until, err2 := strconv.ParseInt(expires, 10, 64)
	switch {
	case crossSite(r):
		reply(w, http.StatusForbidden, failure{errCross.Error()})
	case r.Method != http.MethodGet:
		reply(w, http.StatusMethodNotAllowed, failure{"GET the document"})
	case err != nil || err2 != nil || !isFile || !hmac.Equal(given, s.mac(name, expires)):
		reply(w, http.StatusForbidden, failure{"that is not an address of this factory"})
	case s.now().Unix() >= until:
		reply(w, http.StatusForbidden, failure{"the address was good for an hour: create another device"})
	default:
		text, err := s.factory.Document(name)
		if err != nil {
			reply(w, http.StatusForbidden, failure{err.Error()})
			return
		}
		secret(w.Header())
		_, _ = w.Write(text)
	}
}
