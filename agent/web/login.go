package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"pithings/agent/access"
	"pithings/api"
)

// maxLogin bounds the body of a login, in bytes: whoever is not known yet sends no more.
const maxLogin = 4 << 10

// sessionState is what GET /api/v1/session answers.
type sessionState struct {
	Role     string `json:"role"`               // look or act, as which the client is served; none
	CSRF     string `json:"csrf,omitempty"`     // for the header X-CSRF-Token of each change
	Password bool   `json:"password,omitempty"` // one is set: it can log in
}

// credentials begin a session.
type credentials struct {
	Password string `json:"password"`
}

// Routes are those of sessions.
func (s *Server) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodPost, Path: "/api/v1/login", For: api.Anyone, Doc: "begin a session", Handler: http.HandlerFunc(s.login), Takes: credentials{}, Gives: sessionState{}},
		{Method: http.MethodPost, Path: "/api/v1/logout", For: api.Look, Doc: "end the session", Handler: http.HandlerFunc(s.logout), Gives: sessionState{}},
		{Method: http.MethodGet, Path: "/api/v1/session", For: api.Look, Doc: "show the role of the client", Gives: sessionState{}, Handler: api.JSON(func(r *http.Request) (any, error) {
			v, ok := r.Context().Value(visitKey{}).(*visit)
			if !ok { // the local socket
				return sessionState{Role: access.Act.String()}, nil
			}
			return sessionState{v.role.String(), s.door().CSRF(v.session), s.door().PasswordSet()}, nil
		})},
		s.addressRoute(),
	}
}

// errSocket says that there are no sessions at the local socket.
var errSocket = fmt.Errorf("the local socket needs no session (%w)", api.Status(http.StatusNotFound))

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	api.JSON(func(r *http.Request) (any, error) {
		v, ok := r.Context().Value(visitKey{}).(*visit)
		if !ok {
			return nil, errSocket
		}
		var in credentials
		if err := api.Decode(r, &in); err != nil {
			return nil, err
		}
		made, err := s.door().Login(r.Context(), v.origin.counts(), in.Password)
		if err != nil {
			if wait, ok := errors.AsType[*access.WaitError](err); ok {
				w.Header().Set("Retry-After", strconv.Itoa(int(wait.For.Seconds())+1))
			}
			s.refused(v, err)
			return nil, fmt.Errorf("%w (%w)", err, api.Status(loginStatus(err)))
		}
		s.door().Logout(v.session)
		s.log.Info("web server: a client has logged in", "from", v.origin.counts().Addr())
		http.SetCookie(w, v.cookie(made.ID))
		w.Header().Set("Cache-Control", "no-store")
		return sessionState{Role: access.Act.String(), CSRF: made.CSRF, Password: true}, nil
	}).ServeHTTP(w, r)
}

func loginStatus(err error) int {
	_, wait := errors.AsType[*access.WaitError](err)
	switch {
	case wait:
		return http.StatusTooManyRequests
	case errors.Is(err, access.ErrBusy):
		return http.StatusServiceUnavailable
	}
	return http.StatusUnauthorized
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	api.JSON(func(r *http.Request) (any, error) {
		v, ok := r.Context().Value(visitKey{}).(*visit)
		if !ok {
			return nil, errSocket
		}
		s.door().Logout(v.session)
		gone := v.cookie("")
		gone.MaxAge = -1
		http.SetCookie(w, gone)
		return sessionState{Role: access.None.String(), Password: s.door().PasswordSet()}, nil
	}).ServeHTTP(w, r)
}
