// Shows the values of a chart at a moment.
export {};
