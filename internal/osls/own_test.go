package osls

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/dropstack/dropstack/internal/testkit"
)

// own is the platform's command, by which a service is to do the same.
var own = cli{name: "dropstack", command: "dropstack", stage: "own"}

// bespoke are the services that only templates can say: with custom resources.
var bespoke = map[string]bool{"shelf": true}

// TestOwnCommand takes the same services through the life that the platform's own
// command gives them, and uses them as they are used then.
func TestOwnCommand(t *testing.T) {
	w := start(t)
	bin := testkit.Binary(t)
	for _, of := range services {
		if bespoke[of.name] {
			continue
		}
		t.Run(of.name, func(t *testing.T) {
			t.Parallel()
			w.turns <- struct{}{}
			defer func() { <-w.turns }()
			s := newStack(t, w, own, bin, of)
			if of.base != nil {
				s.base = newStack(t, w, own, bin, *of.base)
				s.base.do([]string{"deploy"}, s.base.name+" deployed in")
				defer func() { s.base.do([]string{"remove", s.base.name}) }()
			}
			s.ownWalk()
		})
	}
}

func (s *stack) ownWalk() {
	if s.of.prepare != nil {
		s.of.prepare(s)
	}
	s.do([]string{"deploy"}, s.name+" deployed in")
	s.do([]string{"deploy"}, "nothing was changed")
	s.described()
	s.of.use(s)
	s.says("one")

	s.rewrite("one", "two")
	s.do([]string{"deploy", "function", "-f", s.of.entry})
	s.says("two")
	s.rewrite("two", "three")
	s.do([]string{"deploy"}, s.name+" deployed in")
	s.says("three")
	s.do([]string{"rollback"})
	s.says("two")

	s.do([]string{"remove"}, s.name+" removed")
	_, err := lambda.NewFromConfig(s.world.config).GetFunction(s.Context(), &lambda.GetFunctionInput{FunctionName: new(s.name + "-" + s.of.entry)})
	if _, gone := errors.AsType[*types.ResourceNotFoundException](err); !gone {
		s.Errorf("the function of a stack that was removed: %v, want ResourceNotFoundException", err)
	}
}

// described keeps the outputs of a stack, which CloudFormation's clients are told of
// whoever has deployed it.
func (s *stack) described() {
	s.Helper()
	out, err := cloudformation.NewFromConfig(s.world.config).DescribeStacks(s.Context(), &cloudformation.DescribeStacksInput{StackName: &s.name})
	s.need(err)
	s.outputs = map[string]string{}
	for _, o := range out.Stacks[0].Outputs {
		s.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
}
