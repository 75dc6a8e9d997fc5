package osls

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// clockParameters makes the parameters that the service reads.
func clockParameters(s *stack) {
	client := ssm.NewFromConfig(s.world.config)
	for name, in := range map[string]*ssm.PutParameterInput{
		"greeting": {Type: ssmtypes.ParameterTypeString, Value: aws.String("good morning")},
		"secret":   {Type: ssmtypes.ParameterTypeSecureString, Value: aws.String(`{"word":"hush"}`)},
	} {
		in.Name = aws.String("/clock/" + s.cli.stage + "/" + name)
		_, err := client.PutParameter(s.Context(), in)
		s.need(err)
	}
}

// useClock puts events on both buses, and waits for what schedules do.
func useClock(s *stack) {
	answer := s.ask("parameters")
	delete(answer, "version")
	if err := same(answer, map[string]any{"word": "parameters", "greeting": "good morning", "secret": "hush"}); err != nil {
		s.Error(err)
	}

	bus := aws.String(s.name + "-bus")
	out, err := eventbridge.NewFromConfig(s.world.config).PutEvents(s.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{EventBusName: bus, Source: aws.String("clock.tower"), DetailType: aws.String("struck"), Detail: aws.String(`{"loud":4}`)},
		{EventBusName: bus, Source: aws.String("watch"), DetailType: aws.String("struck"), Detail: aws.String(`{"loud":6}`)},
		{EventBusName: bus, Source: aws.String("clock.tower"), DetailType: aws.String("struck"), Detail: aws.String(`{"loud":6}`)},
		{Source: &s.name, DetailType: aws.String("struck"), Detail: aws.String(`{"what":"noon"}`)},
	}})
	s.need(err)
	if out.FailedEntryCount != 0 {
		s.Errorf("events that were not taken: %v", out.Entries)
	}
	s.logged("hear", `heard {"source":"clock.tower","detail":{"loud":6}}`)
	s.logged("hear", `heard {"transformed":"noon"}`)
	if text := s.log("/aws/lambda/" + s.name + "-hear"); strings.Contains(text, `"loud":4`) || strings.Contains(text, "watch") {
		s.Errorf("the function heard of events that it did not ask for:\n%s", text)
	}

	s.world.pause(func() {
		for _, want := range []string{`tick rate {"from":"rate","nested":{"list":[1,2]}}`, `tick cron {"from":"cron","when":"20`, `tick scheduler {"from":"scheduler"}`} {
			s.loggedIn("/aws/lambda/"+s.name+"-tick", want, 2*time.Minute)
		}
	})
	if text := s.log("/aws/lambda/" + s.name + "-tick"); strings.Contains(text, "tick disabled") {
		s.Errorf("a schedule that is disabled ticked:\n%s", text)
	}
}
