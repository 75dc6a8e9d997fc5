// Package cloudformation deploys templates: stacks, change sets and their events,
// as CloudFormation does.
//
// A template becomes a revision (package deploy) in one pass: its conditions and
// intrinsic functions are worked out resource by resource, in the order in which
// they refer to each other, and each resource's kind adds it to the revision. What
// a template asks for is therefore known, and refused, before anything changes;
// activating it is one step, as of every deployment.
package cloudformation
