package spec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// VPC is the private network that a function's instances are in. Both lists have
// at least one ID: of Service.Network, or of another stack's networks.
type VPC struct{ Subnets, Groups []string }

// NetworkFile may lie beside serverless.yml: a CloudFormation template of networks
// alone. Its resources are the service's like those under resources.
const NetworkFile = "network.yml"

// networkTypes says how each type of resource is read, in the order of reading:
// from the parts on which others depend to those that do.
var networkTypes = []networkType{
	{"AWS::EC2::VPC", []string{"VpcId"}, (*reader).vpcResource},
	{"AWS::EC2::VPCCidrBlock", nil, (*reader).moreCIDR},
	{"AWS::EC2::InternetGateway", []string{"InternetGatewayId"}, nil},
	{"AWS::EC2::VPCGatewayAttachment", nil, nil}, // Lambda has no public addresses, so nothing goes this way
	{"AWS::EC2::EIP", []string{"AllocationId"}, nil},
	{"AWS::EC2::NatGateway", []string{"NatGatewayId"}, nil}, // known to routes
	{"AWS::EC2::Subnet", []string{"SubnetId"}, (*reader).subnetResource},
	{"AWS::EC2::VPCPeeringConnection", []string{"Id"}, (*reader).peeringResource},
	{"AWS::EC2::RouteTable", []string{"RouteTableId"}, nil}, // of associations and routes
	{"AWS::EC2::SubnetRouteTableAssociation", nil, (*reader).association},
	{"AWS::EC2::Route", nil, (*reader).routeResource},
	{"AWS::EC2::SecurityGroup", []string{"GroupId", "Id"}, (*reader).groupResource},
	{"AWS::EC2::SecurityGroupIngress", nil, (*reader).ingressResource},
	{"AWS::EC2::SecurityGroupEgress", nil, (*reader).egressResource},
	{"AWS::EC2::NetworkInterface", []string{"Id"}, (*reader).interfaceResource},
	{"AWS::EC2::VPCEndpoint", []string{"Id"}, (*reader).endpointResource},
	{"AWS::Route53::HostedZone", []string{"Id"}, (*reader).zoneResource},
	{"AWS::Route53::RecordSet", nil, (*reader).recordResource},
	{"AWS::Route53::RecordSetGroup", nil, (*reader).recordsResource},
}

type networkType struct {
	name string
	ids  []string // attributes that are what Ref is
	read func(*reader, declared)
}

// networkHarm are types without which a network would be another than declared.
var networkHarm = effects{
	"AWS::EC2::NetworkAcl":                  "it would refuse nothing; use security groups",
	"AWS::EC2::NetworkAclEntry":             "it would refuse nothing; use security groups",
	"AWS::EC2::SubnetNetworkAclAssociation": "it would refuse nothing; use security groups",
	"AWS::EC2::TransitGateway":              "nothing would be joined; use a peering",
	"AWS::EC2::Instance":                    "there are no virtual machines here; a host outside is an AWS::EC2::NetworkInterface with dropstack:attach in its Metadata",
}

// declared is a resource of a network.
type declared struct {
	field
	id    string
	props *node // an object
	meta  *node // nil: none
}

func (d declared) what() string { return "resource " + d.key }

// nets is what the reader gathers of networks.
type nets struct {
	declared map[string][]declared // by type
	place    map[string]Pos        // by ID, "zone NAME" and "record NAME TYPE"
	table    map[string]string     // route table of a subnet, by the subnet's ID
	foreign  bool                  // something is another stack's: only a deployment can check
	stack    string                // that a template is of; "": the service's
}

// stack is what the ids of resources begin with.
func (r *reader) stack() string {
	if r.nets.stack != "" {
		return r.nets.stack
	}
	return r.svc.Stack()
}

// nameNetwork makes a resource known to others before any is read; false when the
// type is none of networks.
func (r *reader) nameNetwork(typ string, f field, n *node) bool {
	if harm := networkHarm[typ]; harm != "" {
		r.fail(f.pos, "resource %s of type %s is not supported: %s", f.key, typ, harm)
		return true
	}
	i := slices.IndexFunc(networkTypes, func(t networkType) bool { return t.name == typ })
	if i < 0 {
		return false
	}
	id := r.stack() + "-" + f.key
	res := resource{id, id, map[string]string{}}
	for _, att := range networkTypes[i].ids {
		res.atts[att] = id
	}
	r.names[f.key] = res
	d := declared{field: f, id: id, props: &node{pos: f.pos, kind: object}}
	r.object(n, d.what(), keys{
		"Type": nil, "DependsOn": nil, "DeletionPolicy": nil, "UpdateReplacePolicy": nil,
		"Properties": func(v *node) {
			if r.is(v, object, d.what()+".Properties") {
				d.props = v
			}
		},
		"Metadata": func(v *node) { d.meta = v },
	}, effects{"Condition": "the resource would be there regardless"})
	r.nets.declared[typ] = append(r.nets.declared[typ], d)
	r.nets.place[id] = f.pos
	return true
}

// networkFile reads the network.yml of the service's directory, if there is one.
func (r *reader) networkFile() {
	file := filepath.Join(filepath.Dir(r.svc.File), NetworkFile)
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return
	}
	pos := Pos{File: file, Line: 1}
	if err != nil {
		r.fail(pos, "read the networks: %v", err)
		return
	}
	root, problems := parse(file, data)
	if r.problems = append(r.problems, problems...); len(problems) > 0 || root.kind == null {
		return
	}
	r.object(root, "", keys{
		"Resources": func(v *node) {
			if !r.is(v, object, "Resources") {
				return
			}
			for _, f := range v.fields {
				n := r.vars.resolve(f.value)
				if typ := r.vars.resolve(n.get("Type")); typ != nil && typ.scalar() && !isNetwork(typ.text) {
					r.fail(f.pos, "resource %s of type %s is not a network's; declare it in %s", f.key, typ.text, filepath.Base(r.svc.File))
					continue
				}
				r.resource(f)
			}
		},
		"Description": nil, "AWSTemplateFormatVersion": nil,
	}, effects{})
}

func isNetwork(typ string) bool {
	return networkHarm[typ] != "" || slices.ContainsFunc(networkTypes, func(t networkType) bool { return t.name == typ })
}

// networks reads all resources of networks and has them checked together.
func (r *reader) networks() {
	for _, t := range networkTypes {
		for _, d := range r.nets.declared[t.name] {
			if t.read != nil {
				t.read(r, d)
			}
		}
	}
	if len(r.problems) > 0 || r.nets.foreign {
		return // the rest would be a consequence; what is another stack's is checked by a deployment
	}
	for _, p := range r.svc.Network.Check() {
		pos, known := r.nets.place[p.Resource]
		if !known {
			pos = Pos{File: r.svc.File, Line: 1}
		}
		r.fail(pos, "%s: %s", strings.TrimPrefix(p.Resource, r.stack()+"-"), p.Message)
	}
}

// member reads the ID of a resource of a type; a string that is none of this
// service's is another stack's.
func (r *reader) member(n *node, what, typ string) string {
	id := r.value(n, what)
	if id == "" {
		return ""
	}
	if _, known := r.nets.place[id]; !known {
		r.nets.foreign = true
		return id
	}
	if !slices.ContainsFunc(r.nets.declared[typ], func(d declared) bool { return d.id == id }) {
		r.fail(n.pos, "%s: %s is no %s", what, strings.TrimPrefix(id, r.stack()+"-"), typ)
	}
	return id
}

// need reports properties that a resource cannot do without.
func (r *reader) need(d declared, properties ...string) bool {
	var missing []string
	for _, p := range properties {
		if d.props.get(p) == nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		r.fail(d.pos, "%s has no %s", d.what(), strings.Join(missing, ", "))
	}
	return len(missing) == 0
}

// functionVPC is the function's own vpc or, where it says nothing, the provider's.
// An empty one is none.
func (r *reader) functionVPC(f field) *VPC {
	n, what := r.vars.resolve(f.value.get("vpc")), "functions."+f.key+".vpc"
	if n == nil {
		n, what = r.defaults.vpc, "provider.vpc"
	}
	if n == nil || n.kind == null || n.kind == broken || n.kind == boolean && n.text == "false" {
		return nil
	}
	v := &VPC{}
	ids := func(into *[]string, key, typ string) func(*node) {
		return func(n *node) {
			r.each(n, what+"."+key, func(i *node) {
				if id := r.member(i, what+"."+key, typ); id != "" {
					*into = append(*into, id)
				}
			})
		}
	}
	r.object(n, what, keys{
		"subnetIds":        ids(&v.Subnets, "subnetIds", "AWS::EC2::Subnet"),
		"securityGroupIds": ids(&v.Groups, "securityGroupIds", "AWS::EC2::SecurityGroup"),
	}, effects{"ipv6AllowedForDualStack": "private networks are IPv4 only"})
	subnets, groups := r.some(n, "subnetIds"), r.some(n, "securityGroupIds")
	if !subnets && !groups {
		return nil
	}
	if !subnets || !groups {
		r.fail(n.pos, "%s needs both subnetIds and securityGroupIds", what)
	}
	r.together(n.pos, what, v)
	return v
}

// some reports whether a list is there and has items.
func (r *reader) some(n *node, key string) bool {
	l := r.vars.resolve(n.get(key))
	return l != nil && (l.kind != list && l.kind != null || len(l.items) > 0)
}

// together checks that a function is in one VPC, as far as it is this service's.
func (r *reader) together(pos Pos, what string, v *VPC) {
	in := map[string]bool{}
	for _, s := range r.svc.Network.Subnets {
		if slices.Contains(v.Subnets, s.ID) {
			in[s.VPC] = true
		}
	}
	for _, g := range r.svc.Network.Groups {
		if slices.Contains(v.Groups, g.ID) {
			in[g.VPC] = true
		}
	}
	if len(in) > 1 {
		r.fail(pos, "%s: the subnets and security groups are of several VPCs; a function is in one", what)
	}
}
