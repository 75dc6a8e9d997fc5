package spec

import (
	"math"
	"strings"

	"github.com/dropstack/dropstack/internal/network"
)

func (r *reader) zoneResource(d declared) {
	z := network.Zone{}
	if !r.need(d, "Name") {
		return
	}
	r.object(d.props, d.what(), keys{
		"Name": func(n *node) { z.Name = domainName(r.value(n, d.what()+".Name")) },
		"VPCs": func(n *node) {
			r.each(n, d.what()+".VPCs", func(v *node) {
				r.object(v, d.what()+".VPCs", keys{
					"VPCId":     func(n *node) { z.VPCs = append(z.VPCs, r.member(n, d.what()+".VPCs.VPCId", "AWS::EC2::VPC")) },
					"VPCRegion": nil,
				}, effects{})
			})
		},
		"HostedZoneConfig": nil, "HostedZoneTags": nil, "QueryLoggingConfig": nil,
	}, effects{})
	if len(z.VPCs) == 0 {
		r.warn(d.pos, "%s is not deployed: a public zone is your registrar's; one with VPCs is private", d.what())
		return
	}
	r.nets.place["zone "+z.Name] = d.pos
	r.names[d.key].atts["zone"] = z.Name
	r.svc.Network.Zones = append(r.svc.Network.Zones, z)
}

// domainName is a name as the model has it.
func domainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func (r *reader) recordResource(d declared) {
	if z := r.zoneOf(d); z != nil {
		r.record(z, d.props, d.what())
	}
}

func (r *reader) recordsResource(d declared) {
	z := r.zoneOf(d)
	if z == nil || !r.need(d, "RecordSets") {
		return
	}
	r.object(d.props, d.what(), keys{
		"HostedZoneId": nil, "HostedZoneName": nil, "Comment": nil,
		"RecordSets": func(n *node) {
			r.each(n, d.what()+".RecordSets", func(v *node) { r.record(z, v, d.what()+".RecordSets") })
		},
	}, effects{})
}

// zoneOf is the private zone that records belong to; nil when it is not deployed,
// which is said.
func (r *reader) zoneOf(d declared) *network.Zone {
	name, id := d.props.get("HostedZoneName"), d.props.get("HostedZoneId")
	switch {
	case (name == nil) == (id == nil):
		r.fail(d.pos, "%s needs one of HostedZoneId and HostedZoneName", d.what())
		return nil
	case name != nil:
		return r.zone(d, domainName(r.value(name, d.what()+".HostedZoneName")))
	}
	is := r.member(id, d.what()+".HostedZoneId", "AWS::Route53::HostedZone")
	for _, z := range r.nets.declared["AWS::Route53::HostedZone"] {
		if z.id == is {
			return r.zone(d, r.names[z.key].atts["zone"])
		}
	}
	return r.zone(d, "")
}

func (r *reader) zone(d declared, name string) *network.Zone {
	for i := range r.svc.Network.Zones {
		if z := &r.svc.Network.Zones[i]; z.Name == name && name != "" {
			return z
		}
	}
	r.warn(d.pos, "%s is not deployed: its zone is not a private one of this service", d.what())
	return nil
}

func (r *reader) record(z *network.Zone, n *node, what string) {
	rec := network.Record{TTL: 300}
	const plain = "the name would have no values; list them in ResourceRecords"
	const all = "the answer would not depend on it"
	r.object(n, what, keys{
		"Name": func(v *node) { rec.Name = domainName(r.value(v, what+".Name")) },
		"Type": func(v *node) { rec.Type = r.str(v, what+".Type") },
		"TTL":  func(v *node) { rec.TTL = uint32(r.integer(v, what+".TTL", 0, math.MaxInt32)) },
		"ResourceRecords": func(v *node) {
			r.each(v, what+".ResourceRecords", func(i *node) { rec.Values = append(rec.Values, r.value(i, what+".ResourceRecords")) })
		},
		"HostedZoneId": nil, "HostedZoneName": nil, "Comment": nil,
	}, effects{"AliasTarget": plain, "SetIdentifier": all, "Weight": all, "Region": all, "Failover": all, "GeoLocation": all, "MultiValueAnswer": all, "HealthCheckId": all})
	r.nets.place["record "+rec.Name+" "+rec.Type] = n.pos
	z.Records = append(z.Records, rec)
}
