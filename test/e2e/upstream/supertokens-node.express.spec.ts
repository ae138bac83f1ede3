import { describeSdkAgainstServedCore } from './supertokens-node.flow.js';

describeSdkAgainstServedCore('express');
