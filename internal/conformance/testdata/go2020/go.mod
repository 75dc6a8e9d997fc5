module conformance2020

go 1.21

require github.com/aws/aws-lambda-go v1.20.0
