exports.handler = async (event) => {
  const who = event.headers['x-door'];
  return { isAuthorized: who !== 'nobody', context: { who } };
};
