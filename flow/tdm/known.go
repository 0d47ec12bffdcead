package tdm

import (
	"strings"

	"pithings/flow"
)

// Known is what a deployment of these documents is checked against by
// [flow.Deployment.Validate]: devices by their URN or their model's, and web
// services by URN, among the documents' and the built-in ones. Of a service for
// which the options have a URL, every action is taken to be there.
func (d *Documents) Known(o Options) flow.Known {
	return flow.Known{
		Model: d.Device,
		Service: func(service, action string) (hasAction, known bool) {
			s, ok := d.service(service)
			if !ok {
				_, own := o.ownURL(service)
				return own, own
			}
			return s.actions[strings.ToLower(action)] != nil, true
		},
	}
}

func (d *Documents) service(id string) (*service, bool) {
	u, ok := parseURN(id)
	if !ok {
		return nil, false
	}
	return find(u, d.services, d.builtin.services)
}

// Service gives the description of a web service of the documents by its URN.
func (d *Documents) Service(id string) (flow.ServiceModel, bool) {
	s, ok := d.service(id)
	if !ok {
		return flow.ServiceModel{}, false
	}
	return d.describeService(&reader{}, s), true
}
