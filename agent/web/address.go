package web

import (
	"fmt"
	"net/http"
	"time"

	"pithings/agent/access"
	"pithings/api"
	"pithings/conf"
)

// signedAddress asks for an address that can be fetched without a login, and is the answer.
type signedAddress struct {
	Path    string        `json:"path" jsonschema:"of the picture; in the answer with its signature"`
	For     conf.Duration `json:"for" jsonschema:"how long the address is good for: 1s to 720h"`
	Expires time.Time     `json:"expires,omitzero"`
}

// addressRoute signs addresses.
func (s *Server) addressRoute() api.Route {
	return api.Route{Method: http.MethodPost, Path: "/api/v1/address", For: api.Act, Doc: "sign the address of a camera's pictures", Takes: signedAddress{}, Gives: signedAddress{},
		Handler: api.JSON(func(r *http.Request) (any, error) {
			var a signedAddress
			if err := api.Decode(r, &a); err != nil {
				return nil, err
			}
			bad := func(format string, args ...any) (any, error) {
				return nil, fmt.Errorf("%s (%w)", fmt.Sprintf(format, args...), api.Status(http.StatusBadRequest))
			}
			asked, err := http.NewRequest(http.MethodGet, a.Path, nil)
			if err != nil || asked.URL.Path != a.Path || !clean(asked.URL) {
				return bad("path %.80q: it is none of a camera's pictures", a.Path)
			}
			if _, pattern := s.mux.Handler(asked); !s.addressed[trimMethod(pattern)] {
				return bad("path %.80q: it is none of a camera's pictures", a.Path)
			}
			if a.For.Duration <= 0 || a.For.Duration > access.MaxSigned {
				return bad("for: more than 0 and at most %v", access.MaxSigned)
			}
			a.Expires = time.Now().Add(a.For.Duration).UTC().Truncate(time.Second)
			query, err := s.door().Sign(a.Path, a.Expires)
			if err != nil {
				return nil, err
			}
			base := ""
			if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
				base = v.base
			}
			a.Path = base + a.Path + "?" + query
			return a, nil
		})}
}

func trimMethod(pattern string) string {
	if len(pattern) > 4 && pattern[:4] == "GET " {
		return pattern[4:]
	}
	return pattern
}
