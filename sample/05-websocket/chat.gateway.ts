import { UseFilters, UseGuards } from '@nestjs/common';
import {
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  type OnGatewayConnection,
} from '@nestjs/websockets';
import { Session, SessionExceptionFilter, SessionGuard, SessionSockets } from 'nest-sessions';
import type { Server, Socket } from 'socket.io';

/** A chat for signed-in users. */
@WebSocketGateway()
@UseGuards(SessionGuard) // for each message: checks the access token and the claims
@UseFilters(SessionExceptionFilter) // a failure becomes the event `exception` with the reason
export class ChatGateway implements OnGatewayConnection {
  @WebSocketServer() private readonly server!: Server;

  constructor(private readonly sockets: SessionSockets) {}

  /** Checks the handshake: cookie or token, origin, session. A refused socket gets the reason and is closed. */
  async handleConnection(client: Socket): Promise<void> {
    const session = await this.sockets.admit(client);
    if (session === undefined) return;
    await client.join('chat');
    client.emit('welcome', session.getUserId());
  }

  @SubscribeMessage('say')
  say(@MessageBody() text: unknown, @Session('userId') userId: string): void {
    this.server.to('chat').emit('said', { userId, text: String(text).slice(0, 500) });
  }
}
